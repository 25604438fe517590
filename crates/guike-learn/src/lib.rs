//! Classical learners: baselines and clustering
