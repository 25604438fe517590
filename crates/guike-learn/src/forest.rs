//! Decision tree, random forest and extra trees.
