//! The types a schematic is made of.

use super::{Builder, Done, Found, Refused, Target};
use crate::canonical::old_bool;
use crate::decode::node::{Node, NodeId};
use crate::decode::resolve::Resolved;
use crate::meta::MetaValue;
use crate::schematic::{
    Bootloader, Customization, DiskImage, Overlay, Schematic, SecureBoot, SystemExtensions,
};

/// A mapping of known fields.
pub(super) trait Record {
    /// The name of the type in errors.
    const NAME: &'static str;

    /// The field of that name.
    fn field(&mut self, name: &str) -> Option<&mut dyn Target>;
}

impl<R: Record> Target for R {
    fn type_name(&self) -> &'static str {
        R::NAME
    }

    fn scalar(&mut self, found: &Found<'_>) -> Result<(), Refused> {
        Err(match found {
            Found::Core(Resolved::Merge, _) => Refused::Silently,
            _ => Refused::WrongType,
        })
    }

    fn map(&mut self, builder: &mut Builder<'_>, node: &Node, entries: &[(NodeId, NodeId)]) -> Done {
        builder.record(self, node, entries)
    }
}

macro_rules! record {
    ($type:ty, $name:literal, { $($key:literal => $($field:ident).+),+ $(,)? }) => {
        impl Record for $type {
            const NAME: &'static str = $name;

            fn field(&mut self, name: &str) -> Option<&mut dyn Target> {
                match name {
                    $($key => Some(&mut self.$($field).+),)+
                    _ => None,
                }
            }
        }
    };
}

record!(Schematic, "schematic.Schematic", {
    "owner" => owner,
    "overlay" => overlay,
    "customization" => customization,
});
record!(Overlay, "schematic.Overlay", {
    "image" => image,
    "name" => name,
    "options" => options,
});
record!(Customization, "schematic.Customization", {
    "embeddedMachineConfiguration" => embedded_machine_configuration,
    "extraKernelArgs" => extra_kernel_args,
    "meta" => meta,
    "systemExtensions" => system_extensions,
    "bootloader" => bootloader,
    "secureboot" => secureboot,
    "diskImage" => disk_image,
});
record!(SystemExtensions, "schematic.SystemExtensions", {
    "officialExtensions" => official_extensions,
});
record!(SecureBoot, "schematic.SecureBootCustomization", {
    "enrollKeys" => enroll_keys,
    "includeWellKnownCertificates" => include_well_known_certificates,
});
record!(DiskImage, "schematic.DiskImage", {
    "sectorSize" => sector_size,
});
record!(MetaValue, "schematic.MetaValue", {
    "key" => key,
    "value" => value,
});

impl Target for String {
    fn type_name(&self) -> &'static str {
        "string"
    }

    fn scalar(&mut self, found: &Found<'_>) -> Result<(), Refused> {
        *self = match found {
            Found::Core(Resolved::Timestamp(_), _) => return Err(Refused::WrongType),
            // A number keeps its spelling.
            Found::Core(_, text) | Found::Tagged(text) => (*text).to_owned(),
            Found::Binary(bytes) => String::from_utf8(bytes.clone()).map_err(|_| {
                Refused::Value("cannot construct !!binary into string: expected UTF-8".to_owned())
            })?,
        };
        Ok(())
    }
}

impl Target for bool {
    fn type_name(&self) -> &'static str {
        "bool"
    }

    fn scalar(&mut self, found: &Found<'_>) -> Result<(), Refused> {
        *self = match found {
            Found::Core(Resolved::Bool(bool), _) => *bool,
            Found::Core(Resolved::String, text) => old_bool(text).ok_or(Refused::WrongType)?,
            Found::Core(Resolved::Merge, _) => return Err(Refused::Silently),
            _ => return Err(Refused::WrongType),
        };
        Ok(())
    }
}

impl Target for u8 {
    fn type_name(&self) -> &'static str {
        "uint8"
    }

    fn scalar(&mut self, found: &Found<'_>) -> Result<(), Refused> {
        *self = unsigned(found)?.try_into().map_err(|_| Refused::WrongType)?;
        Ok(())
    }
}

impl Target for u64 {
    fn type_name(&self) -> &'static str {
        "uint"
    }

    fn scalar(&mut self, found: &Found<'_>) -> Result<(), Refused> {
        *self = unsigned(found)?;
        Ok(())
    }
}

/// A number that is not negative; a float is one if nothing is lost.
fn unsigned(found: &Found<'_>) -> Result<u64, Refused> {
    /// The first float above all 64-bit numbers, 2^64.
    const BEYOND: f64 = 18_446_744_073_709_551_616.0;
    match found {
        Found::Core(Resolved::Int(int), _) => u64::try_from(*int).map_err(|_| Refused::WrongType),
        Found::Core(Resolved::Uint(uint), _) => Ok(*uint),
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "the guard leaves whole numbers from 0 to below 2^64, which all fit"
        )]
        Found::Core(Resolved::Float(float), _)
            if *float >= 0.0 && *float < BEYOND && float.fract() == 0.0 =>
        {
            Ok(*float as u64)
        }
        Found::Core(Resolved::Merge, _) => Err(Refused::Silently),
        _ => Err(Refused::WrongType),
    }
}

impl Target for Bootloader {
    fn type_name(&self) -> &'static str {
        "imageropts.BootloaderKind"
    }

    fn scalar(&mut self, found: &Found<'_>) -> Result<(), Refused> {
        let word = match found {
            Found::Core(_, text) | Found::Tagged(text) => (*text).to_owned(),
            Found::Binary(bytes) => String::from_utf8_lossy(bytes).into_owned(),
        };
        *self = Self::from_word(&word).ok_or_else(|| {
            Refused::Value(format!(
                "{} does not belong to BootloaderKind values",
                super::super::error::shown(&word)
            ))
        })?;
        Ok(())
    }

    fn refuse_collection(&mut self, builder: &mut Builder<'_>, node: &Node) -> Done {
        let problem =
            format!("cannot construct {} into {} (TextUnmarshaler)", node.short_tag(), self.type_name());
        builder.issue(node, problem, false);
        Ok(false)
    }
}

/// What can be an item of a list.
pub(super) trait Item: Target + Default {
    /// The name of the list's type in errors.
    const LIST_NAME: &'static str;
}

impl Item for String {
    const LIST_NAME: &'static str = "[]string";
}

impl Item for MetaValue {
    const LIST_NAME: &'static str = "[]schematic.MetaValue";
}

impl<T: Item> Target for Vec<T> {
    fn type_name(&self) -> &'static str {
        T::LIST_NAME
    }

    fn scalar(&mut self, found: &Found<'_>) -> Result<(), Refused> {
        Err(match found {
            Found::Core(Resolved::Merge, _) => Refused::Silently,
            _ => Refused::WrongType,
        })
    }

    fn null(&mut self) -> bool {
        self.clear();
        true
    }

    fn list(&mut self, builder: &mut Builder<'_>, _: &Node, items: &[NodeId]) -> Done {
        self.clear();
        for (index, item) in items.iter().enumerate() {
            let mut value = T::default();
            if builder.construct_under(&index.to_string(), *item, &mut value)? {
                self.push(value);
            }
        }
        Ok(true)
    }
}
