//! What kind of file system a ledger lies on. SQLite's log needs locks and memory that all its processes
//! share, <https://sqlite.org/wal.html#walsharedmem>; network file systems give neither for sure.

use std::path::Path;

/// How far a file system reaches.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Reach {
    /// A disk of this machine, as far as we can tell.
    Local,
    /// It may be anything; told to the operator.
    Unsure(&'static str),
    /// Several machines may write to it, and SQLite would not notice.
    Network(&'static str),
}

/// File systems by the number that Linux tells, <https://man7.org/linux/man-pages/man2/statfs.2.html>.
const KINDS: [(i64, Reach); 10] = [
    (0x6969, Reach::Network("NFS")),
    (0x517b, Reach::Network("SMB")),
    (0xff53_4d42, Reach::Network("CIFS")),
    (0xfe53_4d42, Reach::Network("SMB")),
    (0x5346_414f, Reach::Network("AFS")),
    (0x0102_1997, Reach::Unsure("9P")),
    (0x6573_5546, Reach::Unsure("FUSE")),
    (0x00c3_6400, Reach::Unsure("Ceph")),
    (0x0bd0_0bd0, Reach::Unsure("Lustre")),
    (0x0116_1970, Reach::Unsure("GFS2")),
];

/// The file system of a folder; local when it cannot be told.
pub(crate) fn reach_of(folder: &Path) -> Reach {
    rustix::fs::statfs(folder).map_or(Reach::Local, |found| reach(found.f_type))
}

fn reach(kind: i64) -> Reach {
    let known = KINDS.iter().find(|(number, _)| *number == kind);
    known.map_or(Reach::Local, |(_, reach)| *reach)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn network_file_systems_are_told_from_disks() {
        assert_eq!(reach(0x6969), Reach::Network("NFS"));
        assert_eq!(reach(0x6573_5546), Reach::Unsure("FUSE"));
        for local in [0xef53, 0x0102_1994, 0x5846_5342, 0x9123_683e, 0x794c_7630] {
            assert_eq!(reach(local), Reach::Local, "ext4, tmpfs, XFS, btrfs, overlayfs");
        }
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(
            reach_of(&folder.path().join("missing")),
            Reach::Local,
            "unknown is no refusal"
        );
    }
}
