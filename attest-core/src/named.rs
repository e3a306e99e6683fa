//! Closed sets of words.

/// An enum of words in order, with both ways between item and word.
macro_rules! named {
    ($(#[$doc:meta])* $type:ident { $($(#[$item_doc:meta])* $item:ident = $name:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $type {
            $($(#[$item_doc])* $item,)+
        }

        impl $type {
            /// All of them, in ascending order.
            pub const ALL: &'static [$type] = &[$($type::$item,)+];

            /// The name on the wire.
            pub fn as_str(self) -> &'static str {
                match self {
                    $($type::$item => $name,)+
                }
            }

            /// Reads the name on the wire.
            pub fn parse(name: &str) -> Option<Self> {
                match name {
                    $($name => Some($type::$item),)+
                    _ => None,
                }
            }
        }

        impl core::fmt::Display for $type {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                f.write_str(self.as_str())
            }
        }
    };
}

pub(crate) use named;
