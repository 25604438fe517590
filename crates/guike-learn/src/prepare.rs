//! Preparation of table columns: fitted, saved and applied alike.
