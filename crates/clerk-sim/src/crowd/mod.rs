//! stub
use crate::api::Population;
use crate::world::{Condition, NoPage, Page, Resource, Scope, Wanted};
pub struct Crowd {
    now_ms: i64,
}
impl Crowd {
    pub(crate) fn catch_up(&mut self, now_ms: i64) {
        self.now_ms = self.now_ms.max(now_ms);
    }
}
impl Population for Crowd {
    fn look(&mut self) -> i64 {
        self.now_ms
    }
    fn page(&self, _: &Wanted, _: bool) -> Result<Page, NoPage> {
        Err(NoPage::NoOwner)
    }
    fn count(&self, _: Resource, _: &[Condition]) -> Result<usize, NoPage> {
        Ok(0)
    }
    fn one(&self, _: Resource, _: &str) -> Option<String> {
        None
    }
    fn subscription_of(&self, _: &Scope) -> Result<Option<String>, NoPage> {
        Ok(None)
    }
}
