//! What people and organizations call themselves.

pub(super) const FIRST_NAMES: &[&str] = &[
    "Ada", "Grace", "Alan", "Edsger", "Barbara", "Donald", "Frances", "Ken", "Margaret", "Niklaus", "Radia",
    "Tony",
];

pub(super) const LAST_NAMES: &[&str] = &[
    "Lovelace", "Hopper", "Turing", "Dijkstra", "Liskov", "Knuth", "Allen", "Thompson", "Hamilton", "Wirth",
    "Perlman", "Hoare",
];

/// Names that break what was only ever tried in English, among them quotes, a backslash, line breaks, a tab, a
/// right-to-left override, a joined emoji, a decomposed accent, U+2028 and U+FFFF.
pub(super) const STRANGE_NAMES: &[&str] = &[
    "Zoë",
    "Þórður",
    "王小明",
    "محمد",
    "Nguyễn Thị Minh",
    "👩\u{200d}🚀",
    "e\u{301}",
    "O'Brien",
    "\"Bobby\"; DROP TABLE students;--",
    "back\\slash \\u0041 \\n",
    "two\nlines\r\n\tand a tab",
    "\u{202e}reversed",
    "line\u{2028}separator",
    "\u{ffff}",
    "\u{1}\u{7f}",
    " ",
    "",
];

pub(super) const ORGANIZATION_NAMES: &[&str] = &[
    "Acme",
    "Globex",
    "Initech",
    "Umbrella",
    "Hooli",
    "Stark",
    "Wayne",
    "Wonka",
    "Tyrell",
    "Cyberdyne",
];

pub(super) const PLANS: &[(&str, &str, i64)] = &[
    ("free", "Free", 0),
    ("pro", "Pro", 1_900),
    ("team", "Team", 4_900),
    ("enterprise", "Enterprise", 19_900),
];
