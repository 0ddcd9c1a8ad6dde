//! Lists, whole or curtailed by a fault.

use super::error::ApiError;
use super::fault::ApiFault;
use super::population::Population;
use super::settings::ApiSettings;
use crate::world::{Page, Wanted};

/// The body of a list's answer.
pub(super) fn render(
    population: &dyn Population,
    mut wanted: Wanted,
    is_counted: bool,
    settings: &ApiSettings,
    fault: Option<&ApiFault>,
) -> Result<String, ApiError> {
    settings.narrow(&mut wanted);
    if fault == Some(&ApiFault::ShortList) {
        wanted.limit /= 2;
    }
    let mut page = population.page(&wanted, settings.follow_deleted_cursor)?;
    if fault == Some(&ApiFault::EmptyList) {
        page = Page::default();
    }
    let Page { mut objects, total } = page;
    Ok(if is_counted {
        format!("{{\"data\":[{objects}],\"total_count\":{total}}}")
    } else {
        // A page is megabytes long: better moved than copied.
        objects.insert(0, '[');
        objects.push(']');
        objects
    })
}
