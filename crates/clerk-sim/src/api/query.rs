//! What a request asks for, checked as Clerk checks it.

use crate::world::{Condition, Order, OrderBy, Resource, Scope, Wanted};

use super::error::ApiError;
use super::parameters::{self, Kind};
use super::route::{Form, List};

/// The parameters of a URL.
pub(crate) struct Query(Vec<(String, String)>);

/// As many values of one parameter Clerk takes.
const MOST_VALUES: usize = 100;

/// What `limit` is if nothing is said, and the most it may be.
const LIMITS: (usize, usize) = (10, 500);

impl Query {
    /// Decodes what follows the `?`. As in a form, `+` is a space.
    pub(crate) fn parse(query: &str) -> Self {
        let pairs = form_urlencoded::parse(query.as_bytes());
        Self(pairs.into_owned().collect())
    }

    /// The first value of a parameter.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        let pair = self.0.iter().find(|(known, _)| known == name);
        pair.map(|(_, value)| value.as_str())
    }

    fn all(&self, name: &str) -> Vec<&str> {
        let pairs = self.0.iter().filter(|(known, _)| known == name);
        pairs.map(|(_, value)| value.as_str()).collect()
    }

    /// What is wanted of a list.
    pub(crate) fn wanted(&self, list: &List) -> Result<Wanted, ApiError> {
        let order = self.order(list.resource)?;
        let limit = self.number("limit", LIMITS.0, 1..=LIMITS.1)?;
        let offset = self.number("offset", 0, 0..=usize::MAX)?;
        let after = self.after(list.resource, order, offset)?;
        Ok(Wanted {
            resource: list.resource,
            scope: list.scope.clone(),
            conditions: self.conditions(list.resource, &list.scope)?,
            order,
            limit,
            offset,
            after,
            counts_members: self.counts_members()?,
            shuffle: None,
        })
    }

    /// Whether organizations are to tell how many members they have.
    pub(crate) fn counts_members(&self) -> Result<bool, ApiError> {
        self.flag("include_members_count", false)
    }

    /// Whether the answer is an object that counts.
    pub(crate) fn is_counted(&self, form: Form) -> Result<bool, ApiError> {
        match form {
            Form::Bare => Ok(false),
            Form::Counted => Ok(true),
            Form::BareUnlessPaginated => self.flag("paginated", false),
        }
    }

    /// The conditions of a list. What Clerk knows and the simulator does not is refused; the rest is overheard.
    pub(crate) fn conditions(&self, resource: Resource, scope: &Scope) -> Result<Vec<Condition>, ApiError> {
        for (name, _) in &self.0 {
            if parameters::NOT_SIMULATED.contains(&name.as_str()) {
                return Err(ApiError::not_simulated(&format!("the parameter {name}")));
            }
        }
        let mut conditions = Vec::new();
        for (name, kind) in parameters::of(resource, scope) {
            if let Some(condition) = self.condition(name, *kind)? {
                conditions.push(condition);
            }
        }
        if resource == Resource::Sessions && conditions.is_empty() {
            let long = "either client_id or user_id must be given".to_owned();
            return Err(ApiError::parameter("user_id", long));
        }
        // Clerk leaves free plans out, unless it is asked for them.
        if resource == Resource::SubscriptionItems && !self.flag("include_free", false)? {
            conditions.push(Condition::Paid);
        }
        Ok(conditions)
    }

    fn condition(&self, name: &'static str, kind: Kind) -> Result<Option<Condition>, ApiError> {
        let values = self.all(name);
        let Some(first) = values.first() else {
            return Ok(None);
        };
        if values.len() > MOST_VALUES {
            let long = format!("{name} takes up to {MOST_VALUES} values");
            return Err(ApiError::parameter(name, long));
        }
        Ok(Some(match kind {
            Kind::Signed => {
                let (excluded, included): (Vec<&str>, _) =
                    values.into_iter().partition(|value| value.starts_with('-'));
                let plain = |values: Vec<&str>| {
                    let values = values.into_iter();
                    values
                        .map(|value| value.trim_start_matches(['+', '-']).to_owned())
                        .collect()
                };
                Condition::Signed(name, plain(included), plain(excluded))
            }
            Kind::Texts => Condition::OneOf(name, values.into_iter().map(str::to_owned).collect()),
            Kind::Word(words) if !words.contains(first) => return Err(not_allowed(name, first, words)),
            Kind::Word(_) => Condition::OneOf(name, vec![(*first).to_owned()]),
            Kind::Time => Condition::Time(name, self.time(name, first)?),
            Kind::Flag => Condition::Flag(name, self.flag(name, false)?),
        }))
    }

    fn order(&self, resource: Resource) -> Result<Order, ApiError> {
        let allowed = parameters::orders(resource);
        let Some(text) = self.get("order_by").filter(|_| !allowed.is_empty()) else {
            return Ok(Order {
                by: OrderBy::CreatedAt,
                descending: true,
            });
        };
        let name = text.strip_prefix(['+', '-']).unwrap_or(text);
        if !allowed.contains(&name) {
            return Err(not_allowed("order_by", text, allowed));
        }
        let by = match OrderBy::find(name) {
            Some(by) => by,
            None => return Err(ApiError::not_simulated(&format!("order_by={name}"))),
        };
        Ok(Order {
            by,
            descending: text.starts_with('-'),
        })
    }

    /// The cursor. It needs an order in which nobody moves, and stands against an offset.
    fn after(&self, resource: Resource, order: Order, offset: usize) -> Result<Option<String>, ApiError> {
        let Some(after) = self.get("starting_after").filter(|_| resource == Resource::Users) else {
            return Ok(None);
        };
        let refuse = |long: &str| Err(ApiError::parameter("starting_after", long.to_owned()));
        if order.by != OrderBy::CreatedAt {
            return refuse("starting_after needs order_by to be created_at");
        }
        if offset != 0 {
            return refuse("starting_after cannot be combined with offset");
        }
        Ok(Some(after.to_owned()))
    }

    fn number(
        &self,
        name: &str,
        default: usize,
        range: std::ops::RangeInclusive<usize>,
    ) -> Result<usize, ApiError> {
        let Some(text) = self.get(name) else {
            return Ok(default);
        };
        let number = text.parse().ok().filter(|number| range.contains(number));
        number.ok_or_else(|| {
            let (least, most) = (range.start(), range.end());
            ApiError::parameter(
                name,
                format!("{name} must be a number from {least} to {most}, not {text:?}"),
            )
        })
    }

    fn time(&self, name: &str, text: &str) -> Result<i64, ApiError> {
        let long = || format!("{name} must be a number of milliseconds, not {text:?}");
        text.parse().map_err(|_| ApiError::parameter(name, long()))
    }

    fn flag(&self, name: &str, default: bool) -> Result<bool, ApiError> {
        match self.get(name) {
            None => Ok(default),
            Some("true") => Ok(true),
            Some("false") => Ok(false),
            Some(text) => Err(not_allowed(name, text, &["true", "false"])),
        }
    }
}

fn not_allowed(name: &str, value: &str, allowed: &[&str]) -> ApiError {
    let allowed = allowed.join(", ");
    let long =
        format!("{value} does not match the allowed values for parameter {name}. Allowed values: {allowed}");
    ApiError::parameter(name, long)
}
