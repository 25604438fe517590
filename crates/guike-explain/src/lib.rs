//! Pictures as SVG
