//! The designer once more as elements of the page, for assistive technology.
//!
//! What egui draws is one picture to a browser. Once somebody turns this on, every widget has an
//! invisible element in its place, with its role, name and state. What assistive technology does to
//! an element is done to the widget. Only what changed since the last frame touches the page.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;

use egui::accesskit::{Action, ActionRequest, Node, NodeId, TreeId, TreeUpdate};
use egui::{Context, Event, FullOutput, Plugin, RawInput};
use wasm_bindgen::JsCast;
use web_sys::{Element, FocusOptions, HtmlCanvasElement, HtmlElement, KeyboardEvent, MouseEvent};

use crate::aria::{self, PREFIX, Spoken};
use crate::dom;

/// Actions that may wait for the next frame; what comes beyond is dropped.
const ACTIONS_MAX: usize = 64;

thread_local! {
    /// Elements belong to the thread of the page, and egui's plugins must not.
    static MIRROR: RefCell<Option<Mirror>> = const { RefCell::new(None) };
}

/// The elements and what they say.
struct Mirror {
    root: HtmlElement,
    canvas: HtmlCanvasElement,
    shown: BTreeMap<NodeId, Shown>,
    focus: Option<NodeId>,
    /// Points of egui to pixels of the page.
    scale: f64,
    /// What assistive technology asked for since the last frame.
    asked: Vec<ActionRequest>,
}

struct Shown {
    element: HtmlElement,
    node: Node,
    spoken: Spoken,
    children: Vec<NodeId>,
}

/// Offers the button that turns the mirror on; with `at_once` it is on from the start.
pub(crate) fn offer(ctx: &Context, canvas: &HtmlCanvasElement, at_once: bool) {
    let document = dom::document();
    let by_id =
        |id: &str| -> Option<HtmlElement> { document.get_element_by_id(id)?.dyn_into().ok() };
    let (Some(root), Some(button)) = (by_id("mirror"), by_id("access")) else {
        return;
    };
    ctx.add_plugin(Hook);
    let turn_on = {
        let (ctx, canvas, button) = (ctx.clone(), canvas.clone(), button.clone());
        move || {
            button.set_hidden(true);
            start(&ctx, &canvas, &root);
        }
    };
    if at_once {
        turn_on();
        return;
    }
    button.set_hidden(false);
    dom::listen(&button, "click", move |_: MouseEvent| turn_on());
    lead_to(button);
}

/// Leads a Tab that is the first thing that happens on the page to the button. Later ones belong to
/// the designer, which starts with the keyboard.
fn lead_to(button: HtmlElement) {
    let untouched = Rc::new(Cell::new(true));
    let touched = untouched.clone();
    let window = dom::window();
    dom::listen(&window, "pointerdown", move |_: web_sys::Event| {
        touched.set(false);
    });
    dom::listen(&window, "keydown", move |event: KeyboardEvent| {
        let first = untouched.replace(false) && !button.hidden();
        if first && event.key() == "Tab" && !event.shift_key() {
            event.prevent_default();
            event.stop_immediate_propagation();
            drop(button.focus());
        }
    });
}

fn start(ctx: &Context, canvas: &HtmlCanvasElement, root: &HtmlElement) {
    let mirror = Mirror {
        root: root.clone(),
        canvas: canvas.clone(),
        shown: BTreeMap::new(),
        focus: None,
        scale: 1.0,
        asked: Vec::new(),
    };
    // The keyboard stays on the canvas; the element that it means is named as its descendant.
    set(canvas, "role", "application");
    set(canvas, "aria-owns", "mirror");
    MIRROR.set(Some(mirror));
    let heard = ctx.clone();
    dom::listen(root, "click", move |event: MouseEvent| {
        ask(&heard, &event, Action::Click);
    });
    let heard = ctx.clone();
    dom::listen(root, "focusin", move |event: web_sys::Event| {
        ask(&heard, &event, Action::Focus);
    });
    ctx.enable_accesskit();
    ctx.request_repaint();
    keyboard_to(canvas);
}

/// Passes on what assistive technology did to an element.
fn ask(ctx: &Context, event: &web_sys::Event, action: Action) {
    let target = event.target().and_then(|target| target.dyn_into().ok());
    let Some(id) = target.and_then(|element: Element| node_of(&element)) else {
        return;
    };
    let asked = MIRROR.with_borrow_mut(|mirror| {
        let mirror = mirror.as_mut()?;
        let node = &mirror.shown.get(&id)?.node;
        if node.supports_action(action) && mirror.asked.len() < ACTIONS_MAX {
            mirror.asked.push(ActionRequest {
                action,
                target_tree: TreeId::ROOT,
                target_node: id,
                data: None,
            });
        }
        Some(mirror.canvas.clone())
    });
    if let Some(canvas) = asked {
        // Keys go to the canvas, whatever was touched.
        keyboard_to(&canvas);
        ctx.request_repaint();
    }
}

fn keyboard_to(canvas: &HtmlCanvasElement) {
    let still = FocusOptions::new();
    still.set_prevent_scroll(true);
    // Without focus the next click brings it.
    drop(canvas.focus_with_options(&still));
}

fn node_of(element: &Element) -> Option<NodeId> {
    element.id().strip_prefix(PREFIX)?.parse().ok().map(NodeId)
}

/// Takes egui's accessibility tree, and gives it what was asked for.
struct Hook;

impl Plugin for Hook {
    fn debug_name(&self) -> &'static str {
        "mirror"
    }

    fn input_hook(&mut self, _: &Context, input: &mut RawInput) {
        MIRROR.with_borrow_mut(|mirror| {
            if let Some(mirror) = mirror {
                let asked = mirror.asked.drain(..);
                input
                    .events
                    .extend(asked.map(Event::AccessKitActionRequest));
            }
        });
    }

    fn output_hook(&mut self, ctx: &Context, output: &mut FullOutput) {
        let Some(update) = output.platform_output.accesskit_update.take() else {
            return;
        };
        let scale = f64::from(ctx.zoom_factor());
        MIRROR.with_borrow_mut(|mirror| {
            if let Some(mirror) = mirror {
                mirror.show(update, scale);
            }
        });
    }
}

impl Mirror {
    /// Makes the elements say what the tree says.
    fn show(&mut self, update: TreeUpdate, scale: f64) {
        let root = update.tree.map(|tree| tree.root);
        let mut nodes: BTreeMap<NodeId, Node> = update.nodes.into_iter().collect();
        let Some((root, top)) = root.and_then(|id| Some((id, nodes.remove(&id)?))) else {
            return;
        };
        if (self.scale - scale).abs() > f64::EPSILON {
            self.scale = scale;
            self.forget_all();
        }
        self.shown.retain(|id, shown| {
            let stays = *id == root || nodes.get(id).is_some_and(aria::is_spoken);
            if !stays {
                shown.element.remove();
            }
            stays
        });
        if !self.shown.contains_key(&root) {
            let element = self.root.clone();
            self.shown.insert(root, Shown::new(element));
        }
        self.show_children(root, &top, &mut nodes);
        self.point_at(update.focus, root);
    }

    fn show_children(&mut self, parent: NodeId, node: &Node, nodes: &mut BTreeMap<NodeId, Node>) {
        let mut children = Vec::with_capacity(node.children().len());
        for id in node.children() {
            // Each node has one place; a second one would have been taken out before.
            let Some(child) = nodes.remove(id).filter(aria::is_spoken) else {
                continue;
            };
            children.push(*id);
            self.show_node(*id, child, nodes);
        }
        let Some(shown) = self.shown.get_mut(&parent) else {
            return;
        };
        if shown.children != children {
            let place = shown.element.clone();
            shown.children.clone_from(&children);
            for id in &children {
                if let Some(child) = self.shown.get(id) {
                    // The elements are ours and no one's ancestors.
                    drop(place.append_child(&child.element));
                }
            }
        }
    }

    fn show_node(&mut self, id: NodeId, node: Node, nodes: &mut BTreeMap<NodeId, Node>) {
        let shown = self.shown.entry(id).or_insert_with(|| {
            let element: HtmlElement = dom::element("div");
            element.set_id(&format!("{PREFIX}{}", id.0));
            Shown::new(element)
        });
        if shown.node != node {
            let mut children = node.children().iter().filter_map(|id| nodes.get(id));
            let options = children.any(aria::is_option);
            shown.say(Spoken::of(&node, self.scale, options));
        }
        self.show_children(id, &node, nodes);
        if let Some(shown) = self.shown.get_mut(&id) {
            shown.node = node;
        }
    }

    /// Names the element that the keyboard speaks to.
    fn point_at(&mut self, focus: NodeId, root: NodeId) {
        let focus = Some(focus).filter(|id| *id != root && self.shown.contains_key(id));
        if self.focus == focus {
            return;
        }
        self.focus = focus;
        let Some(id) = focus else {
            unset(&self.canvas, "aria-activedescendant");
            return;
        };
        set(
            &self.canvas,
            "aria-activedescendant",
            &format!("{PREFIX}{}", id.0),
        );
        // Text is typed into a field that eframe puts after the canvas: it takes the name as well.
        if let (Some(field), Some(shown)) =
            (self.canvas.next_element_sibling(), self.shown.get(&id))
            && field.tag_name() == "INPUT"
        {
            for name in ["aria-label", "aria-labelledby", "aria-description"] {
                let said = &shown.spoken.attributes;
                match said.iter().find(|(other, _)| *other == name) {
                    Some((_, value)) => set(&field, name, value),
                    None => unset(&field, name),
                }
            }
        }
    }

    fn forget_all(&mut self) {
        for shown in self.shown.values() {
            if shown.element != self.root {
                shown.element.remove();
            }
        }
        self.shown.clear();
        self.focus = None;
    }
}

impl Shown {
    fn new(element: HtmlElement) -> Shown {
        Shown {
            element,
            node: Node::default(),
            spoken: Spoken::default(),
            children: Vec::new(),
        }
    }

    fn say(&mut self, spoken: Spoken) {
        let (was, element) = (&self.spoken, &self.element);
        for (name, _) in &was.attributes {
            if !spoken.attributes.iter().any(|(other, _)| other == name) {
                unset(element, name);
            }
        }
        for attribute in &spoken.attributes {
            if !was.attributes.contains(attribute) {
                set(element, attribute.0, &attribute.1);
            }
        }
        if was.place != spoken.place {
            let style = element.style();
            for (name, value) in ["left", "top", "width", "height"].iter().zip(spoken.place) {
                drop(style.set_property(name, &format!("{value}px")));
            }
        }
        // Text would take the place of children; what has both is said by the children.
        if was.text != spoken.text && self.children.is_empty() {
            element.set_text_content(Some(&spoken.text));
        }
        self.spoken = spoken;
    }
}

/// The names are ours and well formed, so that setting them cannot fail.
fn set(element: &Element, name: &str, value: &str) {
    drop(element.set_attribute(name, value));
}

fn unset(element: &Element, name: &str) {
    drop(element.remove_attribute(name));
}
