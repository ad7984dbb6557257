//! Modules: libraries that talk to tokens. Each is loaded once per process, and stays.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use cryptoki::context::{CInitializeArgs, CInitializeFlags, Pkcs11};
use cryptoki::error::{Error, RvError};
use cryptoki::session::Session;
use cryptoki::slot::Slot;

use super::super::place::Fault;
use super::super::spec::TokenUri;

/// The modules in use. PKCS#11 wants `C_Initialize` once per process, whoever calls it.
static LOADED: Mutex<Option<HashMap<PathBuf, Pkcs11>>> = Mutex::new(None);

fn load(path: &Path) -> Result<Pkcs11, Fault> {
    let mut loaded = LOADED.lock().unwrap_or_else(PoisonError::into_inner);
    let modules = loaded.get_or_insert_default();
    if let Some(module) = modules.get(path) {
        return Ok(module.clone());
    }
    let module = Pkcs11::new(path).map_err(fault)?;
    match module.initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK)) {
        // The same library under another name.
        Ok(()) | Err(Error::Pkcs11(RvError::CryptokiAlreadyInitialized, _)) => {}
        Err(error) => return Err(fault(error)),
    }
    modules.insert(path.to_owned(), module.clone());
    Ok(module)
}

/// Opens a session with the one token that a URI means.
pub(super) fn open_session(uri: &TokenUri) -> Result<Session, Fault> {
    let path = uri.module.as_deref().unwrap_or(Path::new(""));
    let module = load(path)?;
    let slots = module.get_slots_with_token().map_err(fault)?;
    let mut fitting = Vec::new();
    for slot in slots {
        if fits(&module, slot, uri)? {
            fitting.push(slot);
        }
    }
    match fitting.as_slice() {
        // It may come back: a network token, or one that was pulled out.
        [] => Err(Fault::unavailable("there is no such token in any slot")),
        [slot] => module.open_ro_session(*slot).map_err(fault),
        _ => Err(Fault::refused("several tokens fit; give their `serial` or `slot-id` too")),
    }
}

fn fits(module: &Pkcs11, slot: Slot, uri: &TokenUri) -> Result<bool, Fault> {
    if uri.slot.is_some_and(|wanted| wanted != slot.id()) {
        return Ok(false);
    }
    let info = module.get_token_info(slot).map_err(fault)?;
    let same = |wanted: &Option<String>, found: &str| wanted.as_deref().is_none_or(|wanted| wanted == found);
    Ok(info.token_initialized()
        && same(&uri.token, info.label())
        && same(&uri.manufacturer, info.manufacturer_id())
        && same(&uri.model, info.model())
        && same(&uri.serial, info.serial_number()))
}

/// What the error of a module means for us. None contains a PIN: PKCS#11 errors are numbers.
pub(super) fn fault(error: Error) -> Fault {
    match error {
        Error::Pkcs11(
            RvError::DeviceError
            | RvError::DeviceRemoved
            | RvError::TokenNotPresent
            | RvError::SessionClosed
            | RvError::SessionHandleInvalid
            | RvError::ObjectHandleInvalid
            | RvError::KeyHandleInvalid
            | RvError::UserNotLoggedIn
            | RvError::FunctionFailed
            | RvError::GeneralError,
            _,
        ) => Fault::unavailable(error),
        Error::Pkcs11(RvError::DeviceMemory | RvError::HostMemory | RvError::SessionCount, _) => {
            Fault::Throttled(error.into(), None)
        }
        other => Fault::refused_for(other),
    }
}
