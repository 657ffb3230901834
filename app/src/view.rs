//! What of the window is open and where the keyboard speaks; kept in the settings, never in the file.

use egui::ThemePreference;
use serde::{Deserialize, Serialize};
use smol_str::SmolStr;

/// Kinds that the palette lists as used lately.
pub(crate) const RECENT_KINDS_MAX: usize = 5;

/// Panels, tabs and what lies above them.
#[derive(Clone, Debug)]
pub(crate) struct View {
    pub palette_open: bool,
    pub side_open: bool,
    pub bottom_open: bool,
    pub side: SideTab,
    pub bottom: BottomTab,
    pub overlay: Option<Overlay>,
    /// The part of the window that takes the keyboard next.
    pub wants_focus: Option<Region>,
    pub region: Region,
    pub theme: ThemePreference,
    pub sizes: PanelSizes,
    /// Nothing moves by itself.
    pub still: bool,
    /// Kinds of node used lately, the latest first.
    pub recent_kinds: Vec<SmolStr>,
    /// Whoever decides something here, as people call them; empty while nobody said.
    pub author: SmolStr,
}

/// Tabs of the panel on the right.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum SideTab {
    Properties,
    Types,
    People,
}

/// Tabs of the panel below.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum BottomTab {
    Hazards,
    /// A hazard that is shown happening.
    Witness,
    /// Tests that the flow keeps.
    Tests,
    /// Code beside an event.
    Code,
    /// What functions cost.
    Costs,
    Events,
    Log,
}

/// Lists and pages above the window, one at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Overlay {
    Commands,
    Find,
    /// Fields to follow.
    Follow,
    Keys,
    About,
}

/// Parts of the window among which F6 moves the keyboard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Region {
    Palette,
    Canvas,
    Side,
    Bottom,
}

/// Sizes that somebody gave to the panels, in points; nothing while nobody did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct PanelSizes {
    pub palette: Option<u16>,
    pub side: Option<u16>,
    pub bottom: Option<u16>,
}

/// What is remembered from one start to the next.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Settings {
    pub theme: Theme,
    pub sizes: PanelSizes,
    pub still: bool,
    pub palette_open: bool,
    pub side_open: bool,
    pub bottom_open: bool,
    pub recent_kinds: Vec<SmolStr>,
    pub recent_files: Vec<SmolStr>,
    /// Flows that run without being asked about.
    pub trusted: Vec<SmolStr>,
    pub author: SmolStr,
}

/// The chosen theme by name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Theme {
    #[default]
    System,
    Light,
    Dark,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            theme: Theme::System,
            sizes: PanelSizes::default(),
            still: false,
            palette_open: true,
            side_open: true,
            bottom_open: true,
            recent_kinds: Vec::new(),
            recent_files: Vec::new(),
            trusted: Vec::new(),
            author: SmolStr::default(),
        }
    }
}

impl View {
    pub(crate) fn new(settings: &Settings) -> View {
        View {
            palette_open: settings.palette_open,
            side_open: settings.side_open,
            bottom_open: settings.bottom_open,
            side: SideTab::Properties,
            bottom: BottomTab::Hazards,
            overlay: None,
            wants_focus: None,
            region: Region::Canvas,
            theme: settings.theme.into(),
            sizes: settings.sizes,
            still: settings.still,
            recent_kinds: settings.recent_kinds.clone(),
            author: settings.author.clone(),
        }
    }

    pub(crate) fn show_side(&mut self, tab: SideTab) {
        self.side_open = true;
        self.side = tab;
    }

    pub(crate) fn show_bottom(&mut self, tab: BottomTab) {
        self.bottom_open = true;
        self.bottom = tab;
    }

    /// The region takes the keyboard when it is drawn next.
    pub(crate) fn focus(&mut self, region: Region) {
        self.region = region;
        self.wants_focus = Some(region);
    }

    /// Whether the region should take the keyboard now; asked once.
    pub(crate) fn takes_focus(&mut self, region: Region) -> bool {
        let takes = self.wants_focus == Some(region);
        if takes {
            self.wants_focus = None;
        }
        takes
    }

    /// Puts a kind on top of those used lately.
    pub(crate) fn used_kind(&mut self, kind: &SmolStr) {
        self.recent_kinds.retain(|other| other != kind);
        self.recent_kinds.insert(0, kind.clone());
        self.recent_kinds.truncate(RECENT_KINDS_MAX);
    }
}

impl Region {
    pub(crate) const ALL: [Region; 4] = [
        Region::Palette,
        Region::Canvas,
        Region::Side,
        Region::Bottom,
    ];
}

impl From<Theme> for ThemePreference {
    fn from(theme: Theme) -> ThemePreference {
        match theme {
            Theme::System => ThemePreference::System,
            Theme::Light => ThemePreference::Light,
            Theme::Dark => ThemePreference::Dark,
        }
    }
}

impl From<ThemePreference> for Theme {
    fn from(theme: ThemePreference) -> Theme {
        match theme {
            ThemePreference::System => Theme::System,
            ThemePreference::Light => Theme::Light,
            ThemePreference::Dark => Theme::Dark,
        }
    }
}
