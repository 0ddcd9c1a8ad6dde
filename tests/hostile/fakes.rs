//! Objects with our names in a database that does not have the extension.
