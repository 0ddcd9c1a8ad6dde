//! The page of results, in Markdown.

use std::fmt::Write;
use std::fs;
use std::thread;

/// What has been measured so far.
#[derive(Default)]
pub struct Page {
    goals: Vec<Goal>,
    peers: Vec<String>,
    body: String,
    /// The heading of the section that is being written.
    section: String,
    /// Every cell of the tables that is a number: section, row, column, value.
    figures: Vec<[String; 4]>,
}

/// A figure that the project set itself, and what came out.
pub struct Goal {
    what: &'static str,
    measured: String,
    wanted: String,
    met: bool,
}

impl Goal {
    /// A figure that should not be exceeded.
    pub fn at_most(what: &'static str, measured: f64, limit: f64, unit: &str) -> Self {
        Self {
            what,
            measured: format!("{measured:.2} {unit}"),
            wanted: format!("at most {limit} {unit}"),
            met: measured <= limit,
        }
    }

    /// A figure that should be reached.
    pub fn at_least(what: &'static str, measured: f64, limit: f64, unit: &str) -> Self {
        Self {
            what,
            measured: format!("{measured:.1} {unit}"),
            wanted: format!("at least {limit} {unit}"),
            met: measured >= limit,
        }
    }
}

/// A ratio as the page shows it.
pub fn times(ratio: f64) -> String {
    if ratio < 10.0 {
        format!("{ratio:.2} ×")
    } else {
        format!("{ratio:.0} ×")
    }
}

impl Page {
    /// Adds a goal to the summary.
    pub fn goal(&mut self, goal: Goal) {
        self.goals.push(goal);
    }

    /// Notes the versions of what is measured beside us.
    pub fn peers(&mut self, versions: &str) {
        self.peers.push(versions.to_owned());
    }

    /// Begins a section.
    pub fn heading(&mut self, text: &str) {
        self.section = text.to_owned();
        self.body += &format!("\n## {text}\n");
    }

    /// Adds a paragraph.
    pub fn text(&mut self, text: &str) {
        self.body += &format!("\n{text}\n");
    }

    /// Adds a table; all columns but the first hold figures.
    pub fn table<const N: usize>(&mut self, head: [&str; N], rows: impl IntoIterator<Item = [String; N]>) {
        let rows: Vec<_> = rows.into_iter().collect();
        for row in &rows {
            for (column, cell) in head.iter().zip(row).skip(1) {
                if cell.parse::<f64>().is_ok() {
                    let figure = [&self.section, &row[0], *column, cell].map(|text| text.replace('\t', " "));
                    self.figures.push(figure);
                }
            }
        }
        self.body += &table(head, rows);
    }

    /// The figures of all tables, one a line, with tabs between section, row, column and value.
    pub fn figures(&self) -> String {
        self.figures
            .iter()
            .map(|figure| figure.join("\t") + "\n")
            .collect()
    }

    /// The whole page.
    pub fn render(&self, server: &str) -> String {
        let versions = [&[server.to_owned()], self.peers.as_slice()].concat().join(", ");
        let goals = self.goals.iter().map(|goal| {
            [
                goal.what.to_owned(),
                goal.measured.clone(),
                goal.wanted.clone(),
                if goal.met { "met" } else { "**not met**" }.to_owned(),
            ]
        });
        format!(
            "# Bench\n\nWritten by `make bench`. Everything in one table ran in turn, round after round, in the same minutes; \
             figures of different runs or machines do not compare.\n\n{versions}; {}.\n{}{}",
            machine(),
            table(["goal", "measured", "wanted", ""], goals),
            self.body
        )
    }
}

fn table<const N: usize>(head: [&str; N], rows: impl IntoIterator<Item = [String; N]>) -> String {
    let mut text = format!("\n| {} |\n|---{}|\n", head.join(" | "), "|--:".repeat(N - 1));
    for row in rows {
        // Within a table a bar separates cells, also between backticks.
        let cells = row.map(|cell| cell.replace('|', "\\|"));
        writeln!(text, "| {} |", cells.join(" | ")).expect("a String takes any text");
    }
    text
}

/// Processor and cores.
fn machine() -> String {
    let cpuinfo = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpuinfo
        .lines()
        .find_map(|line| line.strip_prefix("model name")?.split_once(": "))
        .map_or("unknown processor", |(_, model)| model);
    let cores = thread::available_parallelism().map_or(1, usize::from);
    format!("{model}, {cores} cores")
}
