//! What is known of the fields of an event while a design is drawn.

use crate::chance::Chance;

/// A field, and what its values are like.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Field {
    /// As an expression reads it, such as `.order`.
    pub(super) path: String,
    pub(super) sort: Sort,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sort {
    /// Identifies the fact or the thing.
    Id,
    Version,
    /// One of few texts.
    Key,
    Number,
    Flag,
    /// `new`, `paid` or `gone`.
    State,
    Items,
    Other,
}

/// What is known of the events at a port.
#[derive(Clone, Debug, Default)]
pub(super) struct Env {
    pub(super) fields: Vec<Field>,
    /// The event type that they still have.
    pub(super) ty: Option<usize>,
}

impl Env {
    pub(super) fn of(fields: Vec<Field>) -> Env {
        Env { fields, ty: None }
    }

    pub(super) fn any(&self, chance: &mut Chance, sorts: &[Sort]) -> Option<Field> {
        let fitting = self.fields.iter();
        let fitting: Vec<&Field> = fitting
            .filter(|field| sorts.contains(&field.sort))
            .collect();
        if fitting.is_empty() {
            return None;
        }
        Some((*chance.pick(&fitting)).clone())
    }

    /// An expression for a key: a field, several, or a constant where there is none.
    pub(super) fn key(&self, chance: &mut Chance) -> String {
        let sorts = [Sort::Key, Sort::Id, Sort::State];
        let Some(first) = self.any(chance, &sorts) else {
            return "(\"all\")".to_owned();
        };
        if chance.percent(15)
            && let Some(second) = self.any(chance, &sorts)
            && second != first
        {
            return format!("[{}, {}]", first.path, second.path);
        }
        first.path
    }

    pub(super) fn id(&self, chance: &mut Chance) -> String {
        let id = self.any(chance, &[Sort::Id]);
        id.map_or_else(|| "$event.id".to_owned(), |field| field.path)
    }

    pub(super) fn number(&self, chance: &mut Chance) -> Option<String> {
        let number = self.any(chance, &[Sort::Number, Sort::Version]);
        number.map(|field| field.path)
    }

    /// Fields that are in all of them.
    pub(super) fn meet(sides: &[&Env]) -> Env {
        let Some((first, others)) = sides.split_first() else {
            return Env::default();
        };
        let everywhere = |field: &&Field| others.iter().all(|env| env.fields.contains(field));
        let fields = first.fields.iter().filter(everywhere).cloned().collect();
        let same = others.iter().all(|env| env.ty == first.ty);
        let ty = first.ty.filter(|_| same);
        Env { fields, ty }
    }
}

/// A field of an object that an expression makes.
pub(super) fn field(name: &str, sort: Sort) -> Field {
    Field {
        path: format!(".{name}"),
        sort,
    }
}
