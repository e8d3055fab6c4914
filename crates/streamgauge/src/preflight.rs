//! What can be known before anything starts: whether the ports are free and the ledger can be written.
//!
//! The same failures would come later from deep inside a library; here they name the key and the way out.

use std::fs::{self, OpenOptions};
use std::io::{Error, ErrorKind};
use std::net::TcpListener;
use std::path::Path;

use anyhow::{Result, anyhow};

use crate::config::ledger_path;

/// A key and the flag that sets it, for messages.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Setting {
    /// The path of the key.
    pub(crate) key: &'static str,
    /// The flag.
    pub(crate) flag: &'static str,
}

/// `proxy.listen`.
pub(crate) const LISTEN: Setting = Setting {
    key: "proxy.listen",
    flag: "--listen",
};
/// `proxy.ops_listen`.
pub(crate) const OPS_LISTEN: Setting = Setting {
    key: "proxy.ops_listen",
    flag: "--ops-listen",
};
/// `metrics_api.listen`.
pub(crate) const API_LISTEN: Setting = Setting {
    key: "metrics_api.listen",
    flag: "--api-listen",
};

/// Binds a listening socket that does not block.
///
/// # Errors
/// One line with the address, the key and the way out.
pub(crate) fn bind(address: &str, setting: Setting) -> Result<TcpListener> {
    proxy::sockets::bind(address).map_err(|error| anyhow!(refusal(address, setting, &error)))
}

fn refusal(address: &str, setting: Setting, error: &Error) -> String {
    let Setting { key, flag } = setting;
    let way_out = match error.kind() {
        ErrorKind::AddrInUse => format!("stop the process that has it or choose another port with {flag}"),
        ErrorKind::PermissionDenied => format!("choose a port above 1023 with {flag}, or allow this one"),
        ErrorKind::AddrNotAvailable => {
            format!("no interface of this machine has it; choose another with {flag}")
        }
        _ => format!("choose another with {flag}"),
    };
    let reason = match error.kind() {
        ErrorKind::AddrInUse => "the port is in use".to_owned(),
        _ => error.to_string(),
    };
    format!("{key}: cannot listen on {address}: {reason}; {way_out}")
}

/// Makes the folder of the ledger where it is missing and checks that the file can be written.
///
/// # Errors
/// One line with the path, the key and the way out.
pub(crate) fn ledger(url: &str) -> Result<()> {
    // A database is asked by the processes themselves; it may come up later than they do.
    let Some(path) = ledger_path(url) else {
        return Ok(());
    };
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let open = |path: &Path| OpenOptions::new().create(true).append(true).open(path).map(drop);
    folder
        .map_or(Ok(()), fs::create_dir_all)
        .and_then(|()| open(&path))
        .map_err(|error| {
            let path = path.display();
            anyhow!("ledger.url: cannot write `{path}`: {error}; choose a writable path with --ledger")
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_in_use_is_told_with_key_and_flag() {
        let first = bind("127.0.0.1:0", LISTEN).unwrap();
        let address = first.local_addr().unwrap().to_string();
        let line = bind(&address, API_LISTEN).unwrap_err().to_string();
        for word in ["metrics_api.listen", "--api-listen", "in use", &address] {
            assert!(line.contains(word), "`{word}` is missing in: {line}");
        }
        assert!(!line.contains('\n'), "one line: {line}");
    }

    #[test]
    fn an_address_of_another_machine_is_told_as_such() {
        // TEST-NET-1 belongs to nobody: https://www.rfc-editor.org/rfc/rfc5737
        let line = bind("192.0.2.1:0", LISTEN).unwrap_err().to_string();
        assert!(line.contains("no interface"), "{line}");
    }

    #[test]
    fn the_ledgers_folder_is_made_and_a_file_is_no_folder() {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}/a/b/c.db", folder.path().display());
        ledger(&url).unwrap();
        assert!(
            folder.path().join("a/b/c.db").exists(),
            "the folders in between are made"
        );
        let line = ledger(&format!("{url}/d.db")).unwrap_err().to_string();
        assert!(line.starts_with("ledger.url: cannot write `"), "{line}");
        assert!(line.contains("--ledger"), "{line}");
    }
}
