//! What a flow as a whole may take, as its section `budgets` says it.

use crate::document::Section;
use crate::units;
use crate::validate::design::Design;
use crate::value::Value;

impl Design {
    /// A budget by its name; see [`crate::declare::BUDGETS`].
    fn budget(&self, name: &str) -> Option<&Value> {
        self.document.sections.get(&Section::Budgets)?.get(name)
    }

    pub(crate) fn budget_number(&self, name: &str) -> Option<f64> {
        self.budget(name)?.as_f64().filter(|number| *number >= 0.0)
    }

    pub(crate) fn budget_ms(&self, name: &str) -> Option<i64> {
        let duration = units::parse_duration(self.budget(name)?.as_str()?)?;
        i64::try_from(duration.as_millis()).ok()
    }

    pub(crate) fn budget_bytes(&self, name: &str) -> Option<u64> {
        units::parse_bytes(self.budget(name)?.as_str()?)
    }
}
