//! What a field can be to the events of its type: whom they are about, what identifies them.

use graph_model::document::EventType;
use graph_model::pointer::Pointer;

/// One such meaning; a type has at most one field for each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pin {
    Subject,
    Tenant,
    Id,
    Time,
    Version,
}

impl Pin {
    pub(crate) const ALL: [Pin; 5] = [Pin::Subject, Pin::Tenant, Pin::Id, Pin::Time, Pin::Version];

    pub(crate) fn word(self) -> &'static str {
        match self {
            Pin::Subject => "subject",
            Pin::Tenant => "tenant",
            Pin::Id => "id",
            Pin::Time => "time",
            Pin::Version => "version",
        }
    }

    pub(crate) fn meaning(self) -> &'static str {
        match self {
            Pin::Subject => "whom an event is about",
            Pin::Tenant => "whose data it is",
            Pin::Id => "what identifies the fact",
            Pin::Time => "when it happened",
            Pin::Version => "which state of the thing it is",
        }
    }

    pub(crate) fn of(self, ty: &EventType) -> Option<&Pointer> {
        match self {
            Pin::Subject => ty.subject.as_ref(),
            Pin::Tenant => ty.tenant.as_ref(),
            Pin::Id => ty.id.as_ref(),
            Pin::Time => ty.time.as_ref(),
            Pin::Version => ty.version.as_ref(),
        }
    }

    pub(crate) fn set(self, ty: &mut EventType, field: Option<Pointer>) {
        match self {
            Pin::Subject => ty.subject = field,
            Pin::Tenant => ty.tenant = field,
            Pin::Id => ty.id = field,
            Pin::Time => ty.time = field,
            Pin::Version => ty.version = field,
        }
    }
}
