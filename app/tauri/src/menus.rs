//! The menu bar: what the designer wants in it, and what was chosen.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use runtime_protocol::host::{Menu, Told};
use tauri::menu::{MenuBuilder, SubmenuBuilder};
use tauri::{AppHandle, Manager};

use crate::bridge::Bridge;

/// What the lines of the menus do, by their ids.
#[derive(Default)]
struct Chosen(Mutex<BTreeMap<String, Told>>);

/// Shows these menus instead of those before.
pub(crate) fn show(app: &AppHandle, menus: Vec<Menu>) {
    let handle = app.clone();
    // Menus belong to the main thread. An application that ends shows none.
    drop(app.run_on_main_thread(move || drop(build(&handle, menus))));
}

fn build(app: &AppHandle, menus: Vec<Menu>) -> tauri::Result<()> {
    let mut chosen = BTreeMap::new();
    let mut bar = MenuBuilder::new(app);
    for menu in menus {
        let mut built = SubmenuBuilder::new(app, &menu.title);
        for (number, group) in menu.groups.into_iter().enumerate() {
            if number > 0 {
                built = built.separator();
            }
            for item in group {
                let id = format!("item-{}", chosen.len());
                built = built.text(&id, &item.title);
                chosen.insert(id, item.told);
            }
        }
        bar = bar.item(&built.build()?);
    }
    app.set_menu(bar.build()?)?;
    if let Some(held) = app.try_state::<Chosen>() {
        *held.0.lock().unwrap_or_else(PoisonError::into_inner) = chosen;
    } else {
        app.manage(Chosen(Mutex::new(chosen)));
    }
    Ok(())
}

/// Tells the designer which line was chosen.
pub(crate) fn chosen(app: &AppHandle, id: &str) {
    let Some(held) = app.try_state::<Chosen>() else {
        return;
    };
    let told = held
        .0
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .get(id)
        .cloned();
    if let Some(told) = told {
        app.state::<Bridge>().tell(told);
    }
}
