//! Addresses as people paste them: what a browser's `Origin` can equal, and what an issuer of Clerk's can be.

use crate::quote::literal;

/// Why an address cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AddressError {
    /// What is wrong with it, to follow the name and the value.
    pub fault: String,
    /// The next step, with the corrected value where there is one.
    pub hint: String,
}

/// Checks that `text` is an origin as browsers send it (RFC 6454 §6.2) and Clerk puts it into `azp`: `scheme://host`, in small
/// letters, with the port only if it is not the scheme's own, and nothing behind it.
///
/// # Errors
/// When no browser sends it so.
pub fn check_origin(text: &str) -> Result<(), AddressError> {
    if text.is_empty() {
        return refuse("is empty", "Leave it out. An empty list accepts every origin.");
    }
    if text.contains('*') {
        return refuse(
            "holds a wildcard, and azp is compared letter by letter",
            "List every origin. \"Preview deployments\" in docs/configuring.md says what to do where they change.",
        );
    }
    let parts: Vec<&str> = text
        .split([',', ' ', ';'])
        .map(unquoted)
        .filter(|part| !part.is_empty())
        .collect();
    if parts.len() > 1 {
        let list: Vec<String> = parts.iter().map(|part| literal(&origin_meant(part))).collect();
        return refuse(
            "holds several origins in one text",
            format!("Write ARRAY[{}].", list.join(", ")),
        );
    }
    let meant = origin_meant(parts.first().copied().unwrap_or_default());
    let Some((_, authority, _)) = split(&meant) else {
        return refuse("is no origin", "Write one such as 'https://app.example.com'.");
    };
    if !is_authority(authority) {
        return refuse(
            "has no host as browsers send it",
            "Write an origin such as 'https://app.example.com', a name with other letters in its form xn--….",
        );
    }
    if meant == text {
        return Ok(());
    }
    refuse(
        match split(text) {
            None => "has no scheme",
            Some((_, _, rest)) if !rest.is_empty() => "has something behind the host",
            Some(_) if text.chars().any(char::is_uppercase) => "has capital letters",
            Some((_, authority, _)) if authority.contains('@') => "has a user name",
            Some((_, authority, _)) if authority.contains(':') => "names the port that goes without saying",
            Some(_) => "has something around it",
        },
        format!("Write {}.", literal(&meant)),
    )
}

/// Checks that `text`, an https URL, is an issuer as Clerk writes it: the address of a Frontend API.
///
/// # Errors
/// When it is another address of Clerk's, or the right one written in another way.
pub fn check_issuer(text: &str) -> Result<(), AddressError> {
    const WHERE: &str = "The issuer is the Frontend API URL on the API keys page of Clerk's dashboard; or pass publishable_key => \
                         'pk_…', which holds it.";
    if text.is_empty() {
        return refuse("is empty", WHERE);
    }
    if text.starts_with("pk_") {
        return refuse("is a publishable key", "Pass it as publishable_key.");
    }
    let Some((scheme, authority, rest)) = split(text) else {
        return refuse(
            "is not a URL",
            format!("Write {}.", literal(&format!("https://{text}"))),
        );
    };
    let host = host_of(&scheme.to_lowercase(), authority);
    match host.as_str() {
        "dashboard.clerk.com" | "dashboard.clerk.dev" => {
            return refuse("is a page of Clerk's dashboard", WHERE);
        }
        "api.clerk.com" | "api.clerk.dev" => {
            return refuse("is Clerk's Backend API, the same for every instance", WHERE);
        }
        "clerk.com" | "www.clerk.com" => return refuse("is Clerk's own site", WHERE),
        _ => {}
    }
    let mut path = rest.split(['?', '#']).next().unwrap_or_default();
    let mut fault = "is not written as Clerk writes it in tokens";
    if let Some(at) = path.find("/.well-known") {
        fault = match path.ends_with("/jwks.json") {
            true => "is the address of a key set",
            false => "is the address of a document about the instance",
        };
        path = &path[..at];
    } else if path == "/v1" || path.starts_with("/v1/") {
        fault = "is an address inside the Frontend API";
        path = "";
    }
    let mut meant_host = host.clone();
    if let Some(slug) = host
        .strip_suffix(".accounts.dev")
        .filter(|slug| !slug.contains('.'))
    {
        fault = "is the Account Portal of a development instance";
        meant_host = format!("{slug}.clerk.accounts.dev");
        path = "";
    }
    let meant = format!(
        "{}://{meant_host}{}",
        scheme.to_lowercase(),
        path.trim_end_matches('/')
    );
    if meant == text {
        return Ok(());
    }
    refuse(fault, format!("Write {}.", literal(&meant)))
}

/// Whether the address is on one of the hosts that Clerk gives to development instances.
pub fn is_development_address(text: &str) -> bool {
    split(text)
        .is_some_and(|(scheme, authority, _)| host_of(scheme, authority).ends_with(".clerk.accounts.dev"))
}

/// Whether the address is of the form that production instances have: `clerk.` and a domain of the application's own.
pub fn is_production_address(text: &str) -> bool {
    split(text).is_some_and(|(scheme, authority, _)| host_of(scheme, authority).starts_with("clerk."))
}

/// The origin that was probably meant.
fn origin_meant(text: &str) -> String {
    match split(text) {
        None => format!(
            "https://{}",
            host_of("https", text.split(['/', '?', '#']).next().unwrap_or_default())
        ),
        Some((scheme, authority, _)) => {
            let scheme = scheme.to_lowercase();
            format!("{scheme}://{}", host_of(&scheme, authority))
        }
    }
}

/// Scheme, authority, and what is behind it.
fn split(text: &str) -> Option<(&str, &str, &str)> {
    let (scheme, rest) = text.split_once("://")?;
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    Some((scheme, &rest[..end], &rest[end..]))
}

/// Host and port in small letters, without credentials and without the scheme's own port.
fn host_of(scheme: &str, authority: &str) -> String {
    let host = authority.rsplit('@').next().unwrap_or_default().to_lowercase();
    let own_port = match scheme {
        "https" => ":443",
        "http" => ":80",
        _ => return host,
    };
    host.strip_suffix(own_port).map(str::to_owned).unwrap_or(host)
}

/// Letters, digits, hyphens, underscores and full stops, or an IPv6 address in brackets; and perhaps a port.
fn is_authority(text: &str) -> bool {
    let (host, port) = match text.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
        _ => (text, None),
    };
    let is_name = !host.is_empty()
        && host
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte));
    let is_address = host
        .strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'))
        .is_some_and(|address| address.parse::<std::net::Ipv6Addr>().is_ok());
    (is_name || is_address) && port.is_none_or(|port| port.parse::<u16>().is_ok_and(|port| port > 0))
}

fn unquoted(text: &str) -> &str {
    text.trim_matches(['"', '\'', '`', '[', ']', '{', '}'])
}

fn refuse(fault: impl Into<String>, hint: impl Into<String>) -> Result<(), AddressError> {
    Err(AddressError {
        fault: fault.into(),
        hint: hint.into(),
    })
}
