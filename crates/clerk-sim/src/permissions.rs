//! How a version 2 session token writes organization permissions: `fea`, `o.per` and `o.fpm`.

/// The three comma-separated lists, which mean something only together.
pub(crate) struct Encoded {
    /// `fea`: each feature with its scope, such as `o:posts`.
    pub features: String,
    /// `o.per`: the verbs, each once.
    pub permissions: String,
    /// `o.fpm`: for each feature a decimal mask in which bit `i` stands for the `i`-th verb.
    pub masks: String,
}

/// Encodes features, in their order, each with its verbs. A feature without a scope gets the organization's,
/// `o:`; one with a scope (`uo:projects`) keeps it. Verbs are sorted, as in real tokens.
pub(crate) fn encode(features: &[(&str, &[&str])]) -> Encoded {
    let mut permissions: Vec<&str> = features.iter().flat_map(|(_, verbs)| *verbs).copied().collect();
    permissions.sort_unstable();
    permissions.dedup();

    let mask = |verbs: &[&str]| {
        let bits: Vec<bool> = permissions
            .iter()
            .map(|permission| verbs.contains(permission))
            .collect();
        decimal(&bits)
    };
    let scoped = |feature: &str| {
        if feature.contains(':') {
            feature.to_owned()
        } else {
            format!("o:{feature}")
        }
    };
    Encoded {
        features: features
            .iter()
            .map(|(feature, _)| scoped(feature))
            .collect::<Vec<_>>()
            .join(","),
        masks: features
            .iter()
            .map(|(_, verbs)| mask(verbs))
            .collect::<Vec<_>>()
            .join(","),
        permissions: permissions.join(","),
    }
}

/// The decimal digits of a number given by its bits, least significant first. Masks may be wider than any
/// machine integer, so this doubles a string of digits.
fn decimal(bits: &[bool]) -> String {
    let mut digits = vec![0u8]; // least significant first
    for &bit in bits.iter().rev() {
        let mut carry = u8::from(bit);
        for digit in &mut digits {
            let doubled = *digit * 2 + carry;
            *digit = doubled % 10;
            carry = doubled / 10;
        }
        if carry > 0 {
            digits.push(carry);
        }
    }
    digits
        .iter()
        .rev()
        .map(|digit| char::from(b'0' + digit))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn assert_encodes(features: &[(&str, &[&str])], expected: [&str; 3]) {
        let encoded = encode(features);
        assert_eq!([encoded.features, encoded.permissions, encoded.masks], expected);
    }

    #[test]
    fn the_example_of_clerks_documentation() {
        assert_encodes(
            &[("dashboard", &["manage", "read"]), ("teams", &["read"])],
            ["o:dashboard,o:teams", "manage,read", "3,2"],
        );
    }

    #[test]
    fn the_tokens_clerk_asserts_in_its_own_integration_tests() {
        assert_encodes(
            &[
                ("billing", &["manage", "read"]),
                ("impersonation", &["manage", "read"]),
                ("magic_links", &["create", "read"]),
                ("posts", &["delete", "manage", "read"]),
            ],
            [
                "o:billing,o:impersonation,o:magic_links,o:posts",
                "create,delete,manage,read",
                "12,12,9,14",
            ],
        );
        assert_encodes(&[("magic_links", &["read"])], ["o:magic_links", "read", "1"]);
        assert_encodes(
            &[("impersonation", &["read"]), ("magic_links", &["create"])],
            ["o:impersonation,o:magic_links", "create,read", "2,1"],
        );
    }

    #[test]
    fn every_feature_has_a_mask_whatever_its_scope() {
        // Sorted verbs: create 1, read 2, revoke 4, update 8.
        assert_encodes(
            &[
                ("repositories", &["read", "create", "update"]),
                ("uo:projects", &["read", "update", "revoke"]),
                ("u:goldprofileborder", &[]),
            ],
            [
                "o:repositories,uo:projects,u:goldprofileborder",
                "create,read,revoke,update",
                "11,14,0",
            ],
        );
    }

    #[test]
    fn masks_are_exact_beyond_machine_integers() {
        let mut bits = vec![false; 54];
        bits[0] = true;
        bits[53] = true;
        assert_eq!(
            decimal(&bits),
            "9007199254740993",
            "2^53 + 1, which a double cannot hold"
        );

        let mut bits = vec![false; 129];
        bits[128] = true;
        assert_eq!(decimal(&bits), "340282366920938463463374607431768211456", "2^128");
        assert_eq!(decimal(&[]), "0");
    }
}
