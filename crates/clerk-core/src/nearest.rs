//! The name that somebody probably meant.

/// Of `names`, the one that `wrong` is most like, if it is like one at all. Capitals, dots, dashes and underscores do not count.
pub(crate) fn nearest<'n>(wrong: &str, names: impl IntoIterator<Item = &'n str>) -> Option<&'n str> {
    let wrong = letters(wrong);
    let most = (wrong.len() / 4).max(1);
    let distances = names
        .into_iter()
        .map(|name| (strsim::damerau_levenshtein(&wrong, &letters(name)), name));
    let nearest = distances.min_by_key(|(distance, _)| *distance)?;
    (nearest.0 <= most).then_some(nearest.1)
}

fn letters(name: &str) -> String {
    let letters = name.chars().filter(|letter| letter.is_alphanumeric());
    letters.flat_map(char::to_lowercase).take(100).collect()
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn a_slip_is_recognized_and_another_word_is_not() {
        let names = ["user.created", "user.deleted", "organizationMembership.created"];
        for (wrong, meant) in [
            ("user.create", Some("user.created")),
            ("User.Created", Some("user.created")),
            ("user_created", Some("user.created")),
            ("usre.deleted", Some("user.deleted")),
            (
                "organization_membership.created",
                Some("organizationMembership.created"),
            ),
            ("agentTask.started", None),
            ("", None),
        ] {
            assert_eq!(nearest(wrong, names), meant, "{wrong}");
        }
    }
}
