//! The document's file: opening, saving, autosave, recovery, and changes made by others.

use graph_model::format::{self, OpenError};
use runtime_protocol::Problem;
use runtime_protocol::recording::{self, Recording};
use serde::{Deserialize, Serialize};
use smol_str::SmolStr;

use crate::designer::Designer;
use crate::dialogs::Dialog;
use crate::host::{Ask, Contents, Location, Stamp, Told};
use crate::playback::Playback;
use crate::session::TroubleKind;

/// Files that are listed as opened lately.
const RECENT_MAX: usize = 12;
/// Name under which the host keeps the autosave.
pub(crate) const AUTOSAVE: &str = "autosave";
/// Name under which the host keeps the settings.
pub(crate) const SETTINGS: &str = "settings";
/// Seconds from a change to the autosave that holds it.
const AUTOSAVE_PAUSE: f64 = 3.0;

/// What is known about the file of the open document.
#[derive(Debug, Default)]
pub(crate) struct Files {
    pub location: Option<Location>,
    /// The recorded run that the open document was read from.
    recorded: Option<Location>,
    stamp: Option<Stamp>,
    pub recent: Vec<Location>,
    /// What was odd in the file.
    pub notes: Vec<format::Note>,
    /// Why a file dialog is open.
    picking: Option<Picking>,
    /// A write is under way.
    writing: bool,
    /// Where to write once more when it is done: something was saved again meanwhile.
    write_next: Option<Location>,
    /// What to do once the open document is safe.
    next: Option<Next>,
    /// The revision that the autosave holds.
    autosaved: u64,
    changed_at: Option<f64>,
    /// What the path that is being typed could become, as the host said last.
    pub completed: Vec<String>,
    /// The path that the host was asked about.
    pub completing: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Picking {
    Open,
    Save,
}

/// What the user wants after the open document is saved or given up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    New,
    PickOpen,
    Open(Location),
    ShowRunning,
    Quit,
}

/// What an autosave holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Autosave {
    pub location: Option<SmolStr>,
    pub flow: String,
    /// The flow was made here. Copies that do not say so are asked about before they run.
    #[serde(default)]
    pub made_here: bool,
}

impl Files {
    /// These were open lately, before what was opened since the start.
    pub(crate) fn recall(&mut self, earlier: Vec<Location>) {
        let known = std::mem::take(&mut self.recent);
        self.recent.clone_from(&known);
        self.recent
            .extend(earlier.into_iter().filter(|one| !known.contains(one)));
        self.recent.truncate(RECENT_MAX);
    }

    /// Name of the document for titles.
    pub(crate) fn name(&self) -> &str {
        self.location
            .as_ref()
            .or(self.recorded.as_ref())
            .map_or("untitled", Location::name)
    }

    fn remember(&mut self, location: &Location) {
        self.recent.retain(|other| other != location);
        self.recent.insert(0, location.clone());
        self.recent.truncate(RECENT_MAX);
    }
}

impl Designer {
    /// Starts an empty flow, after asking about unsaved changes.
    pub(crate) fn new_flow(&mut self) {
        self.leave(Next::New);
    }

    /// Lets the user choose a file, after asking about unsaved changes.
    pub(crate) fn open_flow(&mut self) {
        self.leave(Next::PickOpen);
    }

    /// Opens the file, after asking about unsaved changes.
    pub fn open(&mut self, location: Location) {
        self.leave(Next::Open(location));
    }

    /// Closes the window, after asking about unsaved changes.
    pub(crate) fn quit(&mut self) {
        self.leave(Next::Quit);
    }

    /// Shows what somebody else made the one that runs, after asking about unsaved changes.
    pub(crate) fn show_others_flow(&mut self) {
        self.leave(Next::ShowRunning);
    }

    fn leave(&mut self, next: Next) {
        self.state.end_typing();
        if self.state.dirty() {
            self.dialog = Some(Dialog::Unsaved(next));
        } else {
            self.go_on(next);
        }
    }

    /// Saves, and then goes on to what the user wanted.
    pub(crate) fn save_and(&mut self, next: Next) {
        self.files.next = Some(next);
        self.save();
    }

    /// Gives the changes up and goes on to what the user wanted.
    pub(crate) fn go_on(&mut self, next: Next) {
        match next {
            Next::New => {
                self.show_document(graph_model::document::Document::default(), None, true);
                self.trust.opened(true);
                self.say("a new flow".to_owned());
            }
            Next::PickOpen => {
                self.files.picking = Some(Picking::Open);
                self.host.ask(Ask::PickOpen);
            }
            Next::Open(location) => self.host.ask(Ask::Read(location)),
            Next::ShowRunning => self.show_running(),
            Next::Quit => {
                self.forget_autosave();
                self.keep_settings();
                self.session.stop_if_active();
                self.host.ask(Ask::Close);
            }
        }
    }

    pub(crate) fn save(&mut self) {
        match self.files.location.clone() {
            Some(location) => self.write(location),
            None => self.save_as(),
        }
    }

    pub(crate) fn save_as(&mut self) {
        self.files.picking = Some(Picking::Save);
        let suggested = match (&self.files.location, self.beside_recording()) {
            (Some(location), _) => location.as_str().to_owned(),
            (None, Some(beside)) => beside,
            (None, None) => self.in_folder(&format!(
                "{}.flow.json",
                match graph_model::id::Id::from_title(&self.state.document().meta.title) {
                    id if id == "node" => "untitled".into(),
                    id => id,
                }
            )),
        };
        self.host.ask(Ask::PickSave { suggested });
    }

    /// Where the flow of a recorded run would be saved: beside it, never over it.
    fn beside_recording(&self) -> Option<String> {
        let place = self.files.recorded.as_ref()?.as_str();
        let stem = place.strip_suffix(recording::ENDING).unwrap_or(place);
        Some(format!("{stem}.flow.json"))
    }

    pub(crate) fn write(&mut self, location: Location) {
        if self.files.writing {
            self.files.write_next = Some(location);
            return;
        }
        self.files.writing = true;
        self.state.begin_save();
        let bytes = format::write(self.state.document()).into_bytes();
        self.host.ask(Ask::Write { location, bytes });
    }

    /// Reads the file again, giving up what was changed here.
    pub(crate) fn reload(&mut self) {
        if let Some(location) = self.files.location.clone() {
            self.host.ask(Ask::Read(location));
        }
    }

    /// Goes on with the document as it is here, though the file is another now.
    pub(crate) fn keep_ours(&mut self, stamp: Option<Stamp>) {
        self.files.stamp = stamp;
        self.state.mark_unsaved();
        self.say("kept; saving will replace the other version".to_owned());
    }

    /// What a path prompt or a dialog of the host led to.
    pub(crate) fn picked(&mut self, location: Location) {
        match self.files.picking.take() {
            Some(Picking::Save) => self.write(location),
            Some(Picking::Open) | None => self.host.ask(Ask::Read(location)),
        }
    }

    pub(crate) fn pick_dismissed(&mut self) {
        self.files.picking = None;
        self.files.next = None;
    }

    /// Takes in what the host has to say.
    pub(crate) fn hear_host(&mut self, ctx: &egui::Context) {
        for told in self.host.poll() {
            match told {
                Told::Picked(location) => self.picked(location),
                Told::Dismissed => self.pick_dismissed(),
                Told::NoDialog => self.prompt_for_path(),
                Told::Read { location, result } => self.has_read(&location, result),
                Told::Written { location, result } => self.has_written(location, result),
                Told::Changed { location, stamp } => self.has_changed(&location, stamp),
                Told::Completed { path, entries } => {
                    if self.files.completing.as_ref() == Some(&path) {
                        self.files.completed = entries;
                    }
                }
                Told::NotStored { name, why } => self.session.report(
                    TroubleKind::Failure,
                    Problem::new(format!("the {name} could not be kept: {why}")),
                ),
                Told::Open(location) => self.open(location),
                Told::Do(action) => self.perform(ctx, &action),
                Told::CloseRequested => self.quit(),
            }
        }
    }

    /// A path in the folder that new documents start from.
    fn in_folder(&self, name: &str) -> String {
        match self.host.folder() {
            folder if folder.is_empty() => name.to_owned(),
            folder => format!("{folder}/{name}"),
        }
    }

    fn prompt_for_path(&mut self) {
        let (save, text) = match self.files.picking {
            Some(Picking::Save) => {
                let name = match (&self.files.location, self.beside_recording()) {
                    (Some(location), _) => location.as_str().to_owned(),
                    (None, Some(beside)) => beside,
                    (None, None) => self.in_folder("untitled.flow.json"),
                };
                (true, name)
            }
            _ => (false, self.in_folder("")),
        };
        self.dialog = Some(Dialog::path(save, text));
    }

    fn has_read(&mut self, location: &Location, result: Result<Contents, String>) {
        if let Ok(Contents { bytes, .. }) = &result
            && is_recording(location, bytes)
        {
            match self.open_recording(location, bytes) {
                Ok(line) => self.say(line),
                Err(message) => self.cannot_open(location, message),
            }
            return;
        }
        let opened = result.and_then(|contents| match format::open(&contents.bytes) {
            Ok(opened) => Ok((opened, contents.stamp)),
            Err(error) => Err(describe(&error)),
        });
        match opened {
            Ok((opened, stamp)) => {
                let odd = opened.notes.len();
                let migrated = opened.migrated_from;
                self.show_document(opened.document, Some((location.clone(), stamp)), true);
                self.files.notes = opened.notes;
                let mut line = format!("opened {}", location.name());
                if let Some(version) = migrated {
                    line = format!(
                        "{line}, written in format {version}; saving writes format {}",
                        format::VERSION
                    );
                }
                if odd > 0 {
                    line = format!(
                        "{line}; {} kept as written, see the log",
                        crate::actions::count(odd, "odd field")
                    );
                    self.log_notes();
                }
                self.say(line);
            }
            Err(message) => self.cannot_open(location, message),
        }
    }

    fn cannot_open(&mut self, location: &Location, message: String) {
        self.files.recent.retain(|other| other != location);
        self.dialog = Some(Dialog::Failed {
            title: format!("{} could not be opened", location.name()),
            message,
            place: location.as_str().to_owned(),
        });
    }

    /// Shows a recorded run and the flow in it; answers what there is to say about it.
    fn open_recording(&mut self, location: &Location, bytes: &[u8]) -> Result<String, String> {
        let recording = Recording::read(bytes).map_err(|error| error.to_string())?;
        let opened = format::open(recording.flow.as_bytes())
            .map_err(|error| format!("line 1: the flow in it: {}", describe(&error)))?;
        let mut line = format!(
            "opened a recorded run of {:.1} s; press Play to see it",
            recording.length_ms as f64 / 1000.0
        );
        if recording.unknown_lines > 0 {
            let lines = crate::actions::count(recording.unknown_lines as usize, "line");
            line = format!("{line}; {lines} of a newer Weir left out");
        }
        self.show_document(opened.document.clone(), None, true);
        self.files.recorded = Some(location.clone());
        self.files.notes = opened.notes;
        self.log_notes();
        self.files.remember(location);
        self.keep_settings();
        self.show_recorded(Playback::new(recording, opened.document));
        Ok(line)
    }

    fn has_written(&mut self, location: Location, result: Result<Stamp, String>) {
        self.files.writing = false;
        self.state.end_save(result.is_ok());
        match result {
            Ok(stamp) => {
                if !self.state.dirty() {
                    self.forget_autosave();
                }
                self.say(format!("saved {}", location.name()));
                self.files.remember(&location);
                // A copy of a flow is trusted as far as the flow itself.
                if self.trusted() {
                    self.trust.remember(&location);
                }
                self.files.stamp = Some(stamp);
                if self.files.location.as_ref() != Some(&location) {
                    self.host.ask(Ask::Watch(Some(location.clone())));
                }
                self.files.location = Some(location);
                self.keep_settings();
                if self.session.has_engine() && self.session.close_recorded() {
                    self.files.recorded = None;
                    self.say(format!(
                        "saved {}; from now on Run runs it, in place of the recorded run",
                        self.files.name()
                    ));
                }
                if let Some(location) = self.files.write_next.take() {
                    self.write(location);
                } else if let Some(next) = self.files.next.take() {
                    // It asks again if something was changed meanwhile.
                    self.leave(next);
                }
            }
            Err(message) => {
                self.files.next = None;
                self.files.write_next = None;
                self.dialog = Some(Dialog::Failed {
                    title: format!("{} could not be saved", location.name()),
                    message: format!("{message}; your changes are still here, and in the autosave"),
                    place: location.as_str().to_owned(),
                });
            }
        }
    }

    fn has_changed(&mut self, location: &Location, stamp: Option<Stamp>) {
        if self.files.location.as_ref() != Some(location)
            || stamp == self.files.stamp
            || self.files.writing
        {
            return;
        }
        if stamp.is_some() && !self.state.dirty() {
            // Nothing of ours can be lost.
            self.reload();
            return;
        }
        self.dialog = Some(Dialog::Changed { stamp });
    }

    /// Shows another document; nothing of the old one stays.
    pub(crate) fn show_document(
        &mut self,
        document: graph_model::document::Document,
        from: Option<(Location, Stamp)>,
        saved: bool,
    ) {
        let known = from
            .as_ref()
            .is_some_and(|(location, _)| self.files.location.as_ref() == Some(location));
        self.state.open(document, saved);
        self.files.notes.clear();
        self.files.recorded = None;
        self.files.changed_at = None;
        self.files.autosaved = self.state.revision();
        let location = from.as_ref().map(|(location, _)| location.clone());
        self.files.stamp = from.map(|(_, stamp)| stamp);
        if let Some(location) = &location {
            self.files.remember(location);
        }
        if self.files.location != location {
            self.host.ask(Ask::Watch(location.clone()));
        }
        self.files.location = location;
        // Unsaved work that the user is asked about stays until there is an answer.
        if saved && !matches!(self.dialog, Some(Dialog::Recover(_))) {
            self.forget_autosave();
        }
        self.keep_settings();
        self.trust.opened(false);
        self.documents_differ();
        if !known {
            self.canvas.open();
        }
    }

    /// Offers what an earlier run could not save.
    pub(crate) fn offer_recovery(&mut self) {
        let Some(text) = self.host.stored(AUTOSAVE) else {
            return;
        };
        match serde_json::from_str::<Autosave>(&text) {
            Ok(autosave) if format::open(autosave.flow.as_bytes()).is_ok() => {
                self.dialog = Some(Dialog::Recover(autosave));
            }
            _ => self.forget_autosave(),
        }
    }

    /// Takes up what an earlier run could not save.
    pub(crate) fn recover(&mut self, autosave: &Autosave) {
        let Ok(opened) = format::open(autosave.flow.as_bytes()) else {
            return;
        };
        let location = autosave.location.clone().map(Location);
        let from = location.map(|location| (location, Stamp::default()));
        self.show_document(opened.document, from, false);
        self.trust.opened(autosave.made_here);
        self.say("recovered; save to keep it".to_owned());
    }

    pub(crate) fn forget_autosave(&mut self) {
        self.files.changed_at = None;
        self.files.autosaved = self.state.revision();
        if self.host.stored(AUTOSAVE).is_some() {
            self.store(AUTOSAVE, None);
        }
    }

    /// Keeps a copy of unsaved work with the host; answers in how many seconds it is due.
    pub(crate) fn autosave_if_due(&mut self) -> Option<f64> {
        if !self.state.dirty() || self.files.autosaved == self.state.revision() {
            self.files.changed_at = None;
            return None;
        }
        let since = *self.files.changed_at.get_or_insert(self.now);
        let due_in = since + AUTOSAVE_PAUSE - self.now;
        if due_in > 0.0 {
            return Some(due_in);
        }
        self.autosave();
        None
    }

    /// Keeps a copy of unsaved work with the host, now.
    pub(crate) fn autosave(&mut self) {
        let autosave = Autosave {
            location: self.files.location.as_ref().map(|at| at.0.clone()),
            flow: format::write(self.state.document()),
            made_here: self.trust.made_here,
        };
        self.files.autosaved = self.state.revision();
        self.files.changed_at = None;
        if let Ok(text) = serde_json::to_string(&autosave) {
            self.store(AUTOSAVE, Some(&text));
        }
    }

    fn log_notes(&mut self) {
        let notes: Vec<String> = self
            .files
            .notes
            .iter()
            .map(|note| format!("{} at `{}` in the file", note.message, note.at))
            .collect();
        for note in notes {
            self.log(note);
        }
    }
}

/// Files called so are recorded runs, unless they are flows after all.
fn is_recording(location: &Location, bytes: &[u8]) -> bool {
    recording::is_recording(bytes)
        || (location.as_str().ends_with(recording::ENDING) && format::open(bytes).is_err())
}

fn describe(error: &OpenError) -> String {
    match error {
        OpenError::NotJson(parse) => {
            format!("{parse}; repair the file in a text editor, or open another one")
        }
        other => other.to_string(),
    }
}
