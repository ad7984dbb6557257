//! Free-form values.

use super::{Builder, Done, Found, Refused, Target};
use crate::decode::node::{Node, NodeId};
use crate::decode::resolve::Resolved;
use crate::value::{Mapping, Value};

impl Target for Value {
    fn type_name(&self) -> &'static str {
        "interface {}"
    }

    fn scalar(&mut self, found: &Found<'_>) -> Result<(), Refused> {
        *self = match found {
            Found::Core(Resolved::Merge, _) => return Err(Refused::Silently),
            Found::Core(resolved, text) => typed(resolved, text),
            Found::Tagged(text) => Self::String((*text).to_owned()),
            Found::Binary(bytes) => match String::from_utf8(bytes.clone()) {
                Ok(text) => Self::String(text),
                Err(_) => Self::Binary(bytes.clone()),
            },
        };
        Ok(())
    }

    fn null(&mut self) -> bool {
        *self = Self::Null;
        true
    }

    fn list(&mut self, builder: &mut Builder<'_>, _: &Node, items: &[NodeId]) -> Done {
        let mut values = Vec::new();
        for (index, item) in items.iter().enumerate() {
            let mut value = Self::Null;
            if builder.construct_under(&index.to_string(), *item, &mut value)? {
                values.push(value);
            }
        }
        *self = Self::List(values);
        Ok(true)
    }

    fn map(&mut self, builder: &mut Builder<'_>, node: &Node, entries: &[(NodeId, NodeId)]) -> Done {
        let textual = builder.has_only_text_keys(entries);
        let mut mapping = Mapping::default();
        let good = builder.mapping(&mut mapping, textual, node, entries)?;
        if good {
            *self = Self::Map(mapping);
        }
        Ok(good)
    }
}

fn typed(resolved: &Resolved, text: &str) -> Value {
    match resolved {
        Resolved::Null => Value::Null,
        Resolved::Bool(bool) => Value::Bool(*bool),
        Resolved::Int(int) => Value::Int(*int),
        Resolved::Uint(uint) => Value::Uint(*uint),
        Resolved::Float(float) => Value::Float(*float),
        Resolved::Timestamp(time) => Value::Timestamp(time.clone()),
        Resolved::String | Resolved::Merge => Value::String(text.to_owned()),
    }
}

/// The options of an overlay: a mapping whose keys become texts.
impl Target for Mapping {
    fn type_name(&self) -> &'static str {
        "map[string]interface {}"
    }

    fn scalar(&mut self, found: &Found<'_>) -> Result<(), Refused> {
        Err(match found {
            Found::Core(Resolved::Merge, _) => Refused::Silently,
            _ => Refused::WrongType,
        })
    }

    fn null(&mut self) -> bool {
        *self = Self::default();
        true
    }

    fn map(&mut self, builder: &mut Builder<'_>, node: &Node, entries: &[(NodeId, NodeId)]) -> Done {
        builder.mapping(self, true, node, entries)
    }
}
