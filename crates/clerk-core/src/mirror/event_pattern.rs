//! Patterns for types of events, as `clerk.on_event()` takes them.

use super::event::KNOWN;
use super::resource::Resource;
use crate::nearest::nearest;
use crate::quote::quote;

/// What repairs are called, whatever types of events Clerk has.
const REPAIRS: [&str; 3] = ["created", "updated", "deleted"];

/// Why a text is no pattern for types of events.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventPatternError {
    /// What was wrong.
    pub message: String,
    /// The next step.
    pub hint: String,
}

/// Checks a pattern: a type that Clerk has, such as `user.created`; the beginning of types and `*`, such as `user.*`; or `*`. With
/// `include_repairs` also the types that only repairs have.
///
/// # Errors
/// When it can match no event that Clerk sends. A type of a later version of Clerk is such a one, so it has to end in `*`.
pub fn check_event_pattern(pattern: &str, include_repairs: bool) -> Result<(), EventPatternError> {
    let types = types(include_repairs);
    let types = || types.iter().map(String::as_str);
    if pattern == "*" || types().any(|known| known == pattern) {
        return Ok(());
    }
    let error = |message: &str, hint: String| {
        Err(EventPatternError {
            message: format!("{} {message}", quote(pattern)),
            hint,
        })
    };
    if pattern.contains(|character: char| ",; |".contains(character)) {
        return error(
            "is more than one pattern for types of events",
            "Call clerk.on_event() once for each type, or use all types of a kind such as user.*, or * for every type.".to_owned(),
        );
    }
    if let Some(known) = KNOWN
        .iter()
        .find(|(prefix, _)| *prefix == pattern.trim_end_matches(['*', '.']))
    {
        let all = format!("{}.*", known.0);
        return match pattern == all {
            true => Ok(()),
            false => error(
                "is no type of event",
                format!("Use {all} for all types of that kind."),
            ),
        };
    }
    if let Some(beginning) = pattern.strip_suffix('*') {
        return check_beginning(beginning).or_else(|hint| error("is no pattern for types of events", hint));
    }
    let hint = match nearest(pattern, types()) {
        Some(known) => format!("Did you mean {known}?"),
        None => format!(
            "Use a type such as user.created, all types of a kind such as user.*, or * for every type. A type that is newer than \
             this version of clerk_sync has to end in *: {}*.",
            pattern.chars().take(100).collect::<String>()
        ),
    };
    error("is no type of event that Clerk is known to send", hint)
}

/// The beginning of types that may be new: a kind and a dot at least. Gives a hint if it is another or a slip.
fn check_beginning(beginning: &str) -> Result<(), String> {
    let is_word = |word: &str| {
        !word.is_empty()
            && word
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
    };
    let mut words = beginning.split('.');
    let kind = words.next().unwrap_or_default();
    let rest: Vec<&str> = words.collect();
    let (last, inner) = rest.split_last().unwrap_or((&"*", &[]));
    let is_beginning =
        is_word(kind) && (last.is_empty() || is_word(last)) && inner.iter().all(|word| is_word(word));
    if !is_beginning {
        return Err(
            "Use a type such as user.created, all types of a kind such as user.*, or * for every type."
                .to_owned(),
        );
    }
    let kinds = || KNOWN.iter().map(|(kind, _)| *kind);
    match nearest(kind, kinds()) {
        Some(meant) if !kinds().any(|known| known == kind) => Err(format!("Did you mean {meant}.*?")),
        _ => Ok(()),
    }
}

fn types(include_repairs: bool) -> Vec<String> {
    let told = KNOWN
        .iter()
        .flat_map(|(kind, verbs)| verbs.iter().map(move |verb| format!("{kind}.{verb}")));
    let repairs = Resource::ALL
        .iter()
        .filter(|_| include_repairs)
        .flat_map(|resource| REPAIRS.map(|verb| format!("{}.{verb}", resource.event_prefix())));
    told.chain(repairs).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_can_fire_is_accepted() {
        for pattern in [
            "*",
            "user.created",
            "user.*",
            "organizationMembership.*",
            "subscriptionItem.freeTrialEnding",
            "email.created",
            "user.cre*",
            "agentTask.*",
            "agentTask.started*",
        ] {
            assert_eq!(check_event_pattern(pattern, false), Ok(()), "{pattern}");
        }
        assert!(check_event_pattern("invitation.updated", false).is_err());
        assert_eq!(check_event_pattern("invitation.updated", true), Ok(()));
    }

    #[test]
    fn what_never_fires_is_refused_with_what_was_meant() {
        const GENERAL: &str =
            "Use a type such as user.created, all types of a kind such as user.*, or * for every type.";
        for (pattern, hint) in [
            ("user.create", "Did you mean user.created?"),
            ("User.Created", "Did you mean user.created?"),
            ("user_created", "Did you mean user.created?"),
            (
                "organization.membership.created",
                "Did you mean organizationMembership.created?",
            ),
            ("usr.*", "Did you mean user.*?"),
            ("users.*", "Did you mean user.*?"),
            ("user", "Use user.* for all types of that kind."),
            ("user*", "Use user.* for all types of that kind."),
            ("user.", "Use user.* for all types of that kind."),
            ("user.**", "Use user.* for all types of that kind."),
            (
                "a,b",
                "Call clerk.on_event() once for each type, or use all types of a kind such as user.*, or * for every type.",
            ),
            (
                "user.created, user.deleted",
                "Call clerk.on_event() once for each type, or use all types of a kind such as user.*, or * for every type.",
            ),
            (".*", GENERAL),
            ("**", GENERAL),
            ("new*", GENERAL),
            ("*.created*", GENERAL),
            ("user.*.created*", GENERAL),
        ] {
            let error = check_event_pattern(pattern, false).expect_err(pattern);
            assert_eq!(error.hint, hint, "{pattern}");
            assert!(error.message.starts_with(&quote(pattern)), "{pattern}");
        }
        let error = check_event_pattern("agentTask.started", false).expect_err("it is not known");
        assert!(
            error.hint.starts_with(GENERAL) && error.hint.ends_with("agentTask.started*."),
            "{error:?}"
        );
        for pattern in ["", "*.created", "user.*.created"] {
            assert!(check_event_pattern(pattern, false).is_err(), "{pattern}");
        }
    }
}
