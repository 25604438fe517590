//! Read, map, clean, partition and sort order logs
