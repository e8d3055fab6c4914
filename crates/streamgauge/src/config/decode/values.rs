//! What a single value may be, and how a wrong one is refused: with the accepted forms.

use std::net::IpAddr;
use std::time::Duration;

use ::proxy::UsageMode;
use ipnet::IpNet;
use record::units::{parse_bytes, parse_duration};
use record::{Name, Policy};

pub(super) fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

pub(super) fn threads(text: &str) -> Result<usize, String> {
    if text == "auto" {
        return Ok(cores());
    }
    at_least_one(text).map_err(|_| format!("`{text}` is not a number of threads; write auto or 1, 2, 3 ..."))
}

pub(super) fn at_least_one<T: std::str::FromStr + PartialOrd + From<u8>>(text: &str) -> Result<T, String> {
    let number = text.parse::<T>().ok().filter(|number| *number >= T::from(1));
    number.ok_or_else(|| format!("`{text}` is not a whole number of at least 1"))
}

/// A replica's share beside the others' shares.
pub(super) fn weight(text: &str) -> Result<u32, String> {
    let weight = text.parse().ok().filter(|weight| (1..=1_000).contains(weight));
    weight.ok_or_else(|| format!("`{text}` is not a weight; write a whole number from 1 to 1000"))
}

pub(super) fn span(text: &str) -> Result<Duration, String> {
    let span = parse_duration(text)?;
    if span.is_zero() {
        return Err(format!(
            "`{text}` would end everything at once; write a span like 250ms or 10s"
        ));
    }
    Ok(span)
}

pub(super) fn some_bytes(text: &str) -> Result<u64, String> {
    let bytes = parse_bytes(text)?;
    if bytes == 0 {
        return Err("a limit of 0 bytes refuses every request; write a size like 32MiB".to_owned());
    }
    Ok(bytes)
}

pub(super) fn head_bytes(text: &str) -> Result<usize, String> {
    usize::try_from(some_bytes(text)?).map_err(|_| format!("`{text}` does not fit into memory"))
}

pub(super) fn label(text: &str) -> Result<Name, String> {
    let fits = (1..=64).contains(&text.len())
        && text
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "._-:".contains(c));
    if !fits {
        return Err(format!(
            "`{text}` is not a name; use 1 to 64 letters, digits, `.`, `_`, `-` or `:`"
        ));
    }
    Ok(text.into())
}

/// A model's name, as servers list it. The length is what the proxy reads of a request.
pub(super) fn model(text: &str) -> Result<Name, String> {
    let fits = (1..=256).contains(&text.len()) && !text.chars().any(char::is_control);
    if !fits {
        return Err(format!("`{text}` is not a model's name; use 1 to 256 characters"));
    }
    Ok(text.into())
}

pub(super) fn yes_or_no(text: &str) -> Result<bool, String> {
    match text {
        "true" => Ok(true),
        "false" => Ok(false),
        _ => Err(format!("`{text}` is neither true nor false")),
    }
}

pub(super) fn network(text: &str) -> Result<IpNet, String> {
    let network = text.parse::<IpNet>().map(|network| network.trunc()).ok();
    let address = || text.parse::<IpAddr>().map(IpNet::from).ok();
    network
        .or_else(address)
        .ok_or_else(|| format!("`{text}` is not a network; write it like 10.0.0.0/8 or 10.0.0.1"))
}

pub(super) fn absolute_path(text: &str) -> Result<String, String> {
    if !text.starts_with('/') || text.contains(char::is_whitespace) {
        return Err(format!("`{text}` is not a path; write it like /health"));
    }
    Ok(text.to_owned())
}

pub(super) fn policy(text: &str) -> Result<Policy, String> {
    Policy::parse(text).ok_or_else(|| {
        let words = Policy::ALL.iter().map(|policy| policy.as_str());
        let words = words.collect::<Vec<_>>().join(", ");
        format!("`{text}` is not a way to balance; write one of {words}")
    })
}

pub(super) fn usage_mode(text: &str) -> Result<UsageMode, String> {
    match text {
        "inject" => Ok(UsageMode::Inject),
        "passthrough" => Ok(UsageMode::Passthrough),
        "continuous" => Ok(UsageMode::Continuous),
        _ => Err(format!(
            "`{text}` is not a usage mode; write inject, passthrough or continuous"
        )),
    }
}

/// A secret goes into a header: anything else would break requests later. Never repeats the text.
pub(super) fn secret(text: &str) -> Result<String, String> {
    if text.chars().all(|c| c.is_ascii_graphic()) {
        Ok(text.to_owned())
    } else {
        Err("the secret holds a character that no header can carry (a space or a line end?)".to_owned())
    }
}
