//! Why an explanation could not be computed: each error names the thing, its value and the rule it breaks.

/// Why there is no explanation.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum ExplainError {
    /// The matrix has other columns than the model reads.
    #[error("the model reads {needed} columns and the matrix has {found}; pass the matrix the model was built for")]
    Columns {
        /// Columns that the model reads, at least.
        needed: usize,
        /// Columns of the matrix.
        found: usize,
    },
    /// A tree that no learner would grow.
    #[error("tree {tree}, node {node}: {rule}; the model file is damaged or was converted wrongly")]
    Tree {
        /// Position of the tree.
        tree: usize,
        /// Position of the node in it.
        node: usize,
        /// The rule that is broken.
        rule: &'static str,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_says_what_was_found_and_what_helps() {
        let columns = ExplainError::Columns { needed: 7, found: 5 };
        assert_eq!(
            columns.to_string(),
            "the model reads 7 columns and the matrix has 5; pass the matrix the model was built for"
        );
        let tree = ExplainError::Tree { tree: 2, node: 9, rule: "a child must come after its parent" };
        assert_eq!(
            tree.to_string(),
            "tree 2, node 9: a child must come after its parent; the model file is damaged or was converted wrongly"
        );
    }
}
