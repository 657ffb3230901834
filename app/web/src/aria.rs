//! What one node of the accessibility tree is in the words of ARIA.

use egui::accesskit::{Action, Live, Node, NodeId, Role, Toggled};

/// What an element's id starts with; the rest is the number of its node.
pub(crate) const PREFIX: &str = "node-";

/// Role, name, state and place of one element.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Spoken {
    pub attributes: Vec<(&'static str, String)>,
    pub text: String,
    /// Left, top, width and height in pixels of the page.
    pub place: [f64; 4],
}

/// Whether the node is said at all. Pieces of text are said by the field or label that they are of.
pub(crate) fn is_spoken(node: &Node) -> bool {
    !node.is_hidden() && !matches!(node.role(), Role::TextRun | Role::ScrollBar | Role::Caret)
}

/// Whether the node can be chosen among its neighbours.
pub(crate) fn is_option(node: &Node) -> bool {
    match node.role() {
        Role::ListItem => node.toggled().is_some(),
        role => matches!(role, Role::ListBoxOption | Role::MenuListOption),
    }
}

impl Spoken {
    /// `options` says whether one of its children can be chosen.
    pub(crate) fn of(node: &Node, scale: f64, options: bool) -> Spoken {
        let mut spoken = Spoken::default();
        let mut role = role_of(node);
        if options && matches!(role, None | Some("group" | "list")) {
            // Browsers take no option seriously outside of a list for options.
            role = Some("listbox");
            spoken.put("aria-multiselectable", &true);
        }
        if let Some(role) = role {
            spoken.put("role", role);
        }
        spoken.name(node, role);
        spoken.state(node, role);
        spoken.place(node, scale);
        if node.supports_action(Action::Click) || node.supports_action(Action::Focus) {
            // May be focused by assistive technology, and is no stop of Tab: that is egui's.
            spoken.put("tabindex", "-1");
        }
        spoken
    }

    fn put(&mut self, name: &'static str, value: &(impl ToString + ?Sized)) {
        self.attributes.push((name, value.to_string()));
    }

    fn name(&mut self, node: &Node, role: Option<&str>) {
        let value = node.value();
        match node.role() {
            Role::Label | Role::Paragraph | Role::Heading => {
                let text = value.or(node.label()).unwrap_or_default();
                text.clone_into(&mut self.text);
            }
            _ if role.is_some() => {
                if let Some(label) = node.label() {
                    self.put("aria-label", label);
                } else if !node.labelled_by().is_empty() {
                    self.put("aria-labelledby", &ids(node.labelled_by()));
                }
                match role {
                    Some("textbox" | "searchbox" | "combobox") => {
                        value.unwrap_or_default().clone_into(&mut self.text);
                    }
                    Some("slider" | "spinbutton" | "progressbar" | "meter") => {
                        if let Some(value) = value {
                            self.put("aria-valuetext", value);
                        }
                    }
                    _ => {}
                }
            }
            _ => {}
        }
        if let Some(description) = node.description() {
            // A name need not be said twice.
            if node.label() != Some(description) {
                self.put("aria-description", description);
            }
        } else if !node.described_by().is_empty() {
            self.put("aria-describedby", &ids(node.described_by()));
        }
        if let Some(description) = node.role_description()
            && role.is_some()
        {
            self.put("aria-roledescription", description);
        }
        if let Some(hint) = node.placeholder().filter(|hint| !hint.is_empty()) {
            self.put("aria-placeholder", hint);
        }
    }

    fn state(&mut self, node: &Node, role: Option<&str>) {
        if node.is_disabled() {
            self.put("aria-disabled", &true);
        }
        if node.is_read_only() {
            self.put("aria-readonly", &true);
        }
        if node.is_modal() {
            self.put("aria-modal", &true);
        }
        if node.role() == Role::MultilineTextInput {
            self.put("aria-multiline", &true);
        }
        if node.is_multiselectable() {
            self.put("aria-multiselectable", &true);
        }
        if let Some(open) = node.is_expanded() {
            self.put("aria-expanded", &open);
        }
        if let Some(selected) = node.is_selected() {
            self.put("aria-selected", &selected);
        }
        if let Some(toggled) = node.toggled() {
            let name = match role {
                Some("button") => "aria-pressed",
                Some("option" | "tab" | "treeitem" | "row" | "cell" | "gridcell") => {
                    "aria-selected"
                }
                _ => "aria-checked",
            };
            let value = match toggled {
                Toggled::False => "false",
                Toggled::True => "true",
                Toggled::Mixed => "mixed",
            };
            self.put(name, value);
        }
        for (name, number) in [
            ("aria-valuenow", node.numeric_value()),
            ("aria-valuemin", node.min_numeric_value()),
            ("aria-valuemax", node.max_numeric_value()),
        ] {
            if let Some(number) = number {
                self.put(name, &number);
            }
        }
        for (name, number) in [
            ("aria-level", node.level()),
            ("aria-posinset", node.position_in_set()),
            ("aria-setsize", node.size_of_set()),
        ] {
            if let Some(number) = number {
                self.put(name, &number);
            }
        }
        match node.live() {
            Some(Live::Polite) => self.put("aria-live", "polite"),
            Some(Live::Assertive) => self.put("aria-live", "assertive"),
            Some(Live::Off) | None => {}
        }
    }

    fn place(&mut self, node: &Node, scale: f64) {
        let Some(bounds) = node.bounds() else {
            return;
        };
        let place = [
            bounds.x0,
            bounds.y0,
            bounds.x1 - bounds.x0,
            bounds.y1 - bounds.y0,
        ];
        // Containers that were never laid out are everywhere and nowhere.
        if place.iter().all(|value| value.is_finite()) {
            self.place = place.map(|value| (value * scale * 100.0).round() / 100.0);
        }
    }
}

fn ids(nodes: &[NodeId]) -> String {
    let names: Vec<String> = nodes.iter().map(|id| format!("{PREFIX}{}", id.0)).collect();
    names.join(" ")
}

/// The role in the page; plain text and bare containers have none.
fn role_of(node: &Node) -> Option<&'static str> {
    Some(match node.role() {
        Role::Button | Role::DefaultButton | Role::DisclosureTriangle | Role::ColorWell => "button",
        Role::CheckBox => "checkbox",
        Role::Switch => "switch",
        Role::RadioButton => "radio",
        Role::RadioGroup => "radiogroup",
        Role::Link => "link",
        Role::TextInput
        | Role::MultilineTextInput
        | Role::DateInput
        | Role::DateTimeInput
        | Role::WeekInput
        | Role::MonthInput
        | Role::TimeInput
        | Role::EmailInput
        | Role::NumberInput
        | Role::PasswordInput
        | Role::PhoneNumberInput
        | Role::UrlInput => "textbox",
        Role::SearchInput => "searchbox",
        Role::ComboBox | Role::EditableComboBox => "combobox",
        Role::Slider => "slider",
        Role::SpinButton => "spinbutton",
        Role::Splitter => "separator",
        Role::ProgressIndicator => "progressbar",
        Role::Meter => "meter",
        Role::Heading => "heading",
        Role::Image => "img",
        Role::Dialog | Role::Window => "dialog",
        Role::AlertDialog => "alertdialog",
        Role::Menu => "menu",
        Role::MenuBar => "menubar",
        Role::MenuItem => "menuitem",
        Role::MenuItemCheckBox => "menuitemcheckbox",
        Role::MenuItemRadio => "menuitemradio",
        Role::Tab => "tab",
        Role::TabList => "tablist",
        Role::TabPanel => "tabpanel",
        Role::Tree => "tree",
        Role::TreeItem => "treeitem",
        _ if is_option(node) => "option",
        Role::ListItem => "listitem",
        Role::List => "list",
        Role::ListBox | Role::MenuListPopup => "listbox",
        Role::Table => "table",
        Role::Grid => "grid",
        Role::Row => "row",
        Role::Cell => "cell",
        Role::GridCell => "gridcell",
        Role::RowHeader => "rowheader",
        Role::ColumnHeader => "columnheader",
        Role::Toolbar => "toolbar",
        Role::Tooltip => "tooltip",
        Role::Status => "status",
        Role::Alert => "alert",
        Role::Log => "log",
        Role::Navigation => "navigation",
        Role::Main => "main",
        Role::Region => "region",
        Role::Search => "search",
        Role::Form => "form",
        Role::Article => "article",
        Role::Label | Role::Paragraph => return None,
        _ if node.label().is_some() || !node.labelled_by().is_empty() => "group",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use egui::accesskit::Rect;

    fn said(node: &Node) -> String {
        let spoken = Spoken::of(node, 1.0, false);
        let attributes: Vec<String> = spoken
            .attributes
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        format!("{} | {}", attributes.join(" "), spoken.text)
    }

    #[test]
    fn a_widget_says_its_role_name_and_state() {
        let mut run = Node::new(Role::Button);
        run.set_label("Run");
        run.set_disabled();
        run.add_action(Action::Click);
        assert_eq!(
            said(&run),
            "role=button aria-label=Run aria-disabled=true tabindex=-1 | "
        );

        let mut node = Node::new(Role::ListItem);
        node.set_label("orders");
        node.set_toggled(Toggled::True);
        assert_eq!(
            said(&node),
            "role=option aria-label=orders aria-selected=true | "
        );
        node.clear_toggled();
        assert_eq!(said(&node), "role=listitem aria-label=orders | ");
    }

    #[test]
    fn what_holds_options_is_a_list_for_them() {
        let pane = Node::new(Role::GenericContainer);
        let spoken = Spoken::of(&pane, 1.0, true);
        assert!(spoken.attributes.contains(&("role", "listbox".to_owned())));
        assert_eq!(Spoken::of(&pane, 1.0, false), Spoken::default());
    }

    #[test]
    fn fields_are_named_by_their_labels_and_hold_their_text() {
        assert!(!is_spoken(&Node::new(Role::TextRun)), "said by its field");
        let mut label = Node::new(Role::Label);
        label.set_value("Title");
        assert_eq!(said(&label), " | Title");

        let mut field = Node::new(Role::MultilineTextInput);
        field.set_labelled_by([NodeId(7)]);
        field.set_value("Orders");
        assert_eq!(
            said(&field),
            "role=textbox aria-labelledby=node-7 aria-multiline=true | Orders"
        );
    }

    #[test]
    fn places_follow_the_scale_and_endless_ones_are_left_out() {
        let mut node = Node::new(Role::Button);
        node.set_bounds(Rect::new(10.0, 20.0, 30.0, 25.0));
        let place = |node: &Node, scale| {
            Spoken::of(node, scale, false)
                .place
                .map(|value| value as i32)
        };
        assert_eq!(place(&node, 2.0), [20, 40, 40, 10]);
        node.set_bounds(Rect::new(0.0, 0.0, f64::INFINITY, 1.0));
        assert_eq!(place(&node, 1.0), [0; 4]);
    }
}
