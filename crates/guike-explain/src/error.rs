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
    /// There is no case to compare with.
    #[error("there is no background case to compare with; pass at least one, better 100 drawn from the customers")]
    NoBackground,
    /// The model answered with something that is no number.
    #[error("output {output} of the model is {value} for one of the cases it was asked about; outputs must be finite")]
    Output {
        /// Position of the output.
        output: usize,
        /// What it was.
        value: f64,
    },
    /// A feature that cannot be acted upon as asked.
    #[error("lever {lever}: {rule}")]
    Lever {
        /// Position of the lever.
        lever: usize,
        /// The rule that is broken, and what to do.
        rule: &'static str,
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
        let output = ExplainError::Output { output: 1, value: f64::NAN };
        assert_eq!(
            output.to_string(),
            "output 1 of the model is NaN for one of the cases it was asked about; outputs must be finite"
        );
        let tree = ExplainError::Tree { tree: 2, node: 9, rule: "a child must come after its parent" };
        assert_eq!(
            tree.to_string(),
            "tree 2, node 9: a child must come after its parent; the model file is damaged or was converted wrongly"
        );
    }
}
