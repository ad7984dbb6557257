//! Microsoft's certificates, which sign option ROMs of graphics and network cards and the boot loaders of others.
//!
//! A machine that believes in none of them may not start such a card, and with it not at all. Those for Windows itself are
//! not among them: nothing here needs to start Windows.

use uuid::{Uuid, uuid};

use crate::auth::Variable;

/// Whom firmware notes as the owner of these entries: Microsoft's own GUID.
pub const OWNER: Uuid = uuid!("77fa9abd-0359-4d32-bd60-28f4e78f784b");

/// A published certificate, and the variable it belongs into.
#[derive(Debug, Clone, Copy)]
pub struct WellKnown {
    /// The name of its file, without suffix, as published.
    pub name: &'static str,
    /// The variable.
    pub variable: Variable,
    /// The certificate.
    pub der: &'static [u8],
}

/// All of them. Within a variable they have the order of their names, in which they are enrolled.
pub const WELL_KNOWN: [WellKnown; 5] = [
    WellKnown {
        name: "MicCorKEKCA2011_2011-06-24",
        variable: Variable::Kek,
        der: include_bytes!("well_known/MicCorKEKCA2011_2011-06-24.der"),
    },
    WellKnown {
        name: "microsoft corporation kek 2k ca 2023",
        variable: Variable::Kek,
        der: include_bytes!("well_known/microsoft-corporation-kek-2k-ca-2023.der"),
    },
    WellKnown {
        name: "MicCorUEFCA2011_2011-06-27",
        variable: Variable::Db,
        der: include_bytes!("well_known/MicCorUEFCA2011_2011-06-27.der"),
    },
    WellKnown {
        name: "microsoft option rom uefi ca 2023",
        variable: Variable::Db,
        der: include_bytes!("well_known/microsoft-option-rom-uefi-ca-2023.der"),
    },
    WellKnown {
        name: "microsoft uefi ca 2023",
        variable: Variable::Db,
        der: include_bytes!("well_known/microsoft-uefi-ca-2023.der"),
    },
];

#[cfg(test)]
mod tests {
    use schematics::Digest;

    use super::*;
    use crate::Certificate;

    #[test]
    fn they_are_the_certificates_that_were_published() {
        let published = [
            "a1117f516a32cefcba3f2d1ace10a87972fd6bbe8fe0d0b996e09e65d802a503",
            "3cd3f0309edae228767a976dd40d9f4affc4fbd5218f2e8cc3c9dd97e8ac6f9d",
            "48e99b991f57fc52f76149599bff0a58c47154229b9f8d603ac40d3500248507",
            "e5be3e64c6e66a281457ecdece0d6d0787577aad2a3a0144262c10c14ba8d8f1",
            "f6124e34125bee3fe6d79a574eaa7b91c0e7bd9d929c1a321178efd611dad901",
        ];
        for (known, published) in WELL_KNOWN.iter().zip(published) {
            assert_eq!(Digest::of(known.der).hex(), published, "{}", known.name);
            let subject = Certificate::from_der(known.der).unwrap().subject().to_owned();
            assert!(subject.contains("Microsoft"), "{subject}");
        }
    }

    #[test]
    fn they_are_in_the_order_of_their_names() {
        for variable in [Variable::Kek, Variable::Db] {
            let names: Vec<_> = WELL_KNOWN
                .iter()
                .filter(|known| known.variable == variable)
                .map(|known| known.name)
                .collect();
            assert!(names.is_sorted() && names.len() > 1, "{names:?}");
        }
    }
}
