//! Products of matrices that lie anywhere in a slice: the one door to the library that multiplies them.

use ndarray::linalg::general_mat_mul;
use ndarray::{ArrayView2, ArrayViewMut2, ShapeBuilder};

/// A matrix in a slice, rows `stride` apart.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Mat<'a>(ArrayView2<'a, f32>);

impl<'a> Mat<'a> {
    /// All of the slice.
    pub(crate) fn of(values: &'a [f32], rows: usize, cols: usize) -> Mat<'a> {
        Mat::strided(values, rows, cols, cols)
    }

    /// Columns of a wider matrix whose first number is the slice's first.
    pub(crate) fn strided(values: &'a [f32], rows: usize, cols: usize, stride: usize) -> Mat<'a> {
        let shape = (rows, cols).strides((stride, 1));
        Mat(ArrayView2::from_shape(shape, values).expect("a matrix lies within its slice"))
    }

    /// Transposed, without moving a number.
    pub(crate) fn t(self) -> Mat<'a> {
        Mat(self.0.reversed_axes())
    }
}

/// A matrix that is written.
#[derive(Debug)]
pub(crate) struct MatMut<'a>(ArrayViewMut2<'a, f32>);

impl<'a> MatMut<'a> {
    /// All of the slice.
    pub(crate) fn of(values: &'a mut [f32], rows: usize, cols: usize) -> MatMut<'a> {
        MatMut::strided(values, rows, cols, cols)
    }

    /// Columns of a wider matrix whose first number is the slice's first.
    pub(crate) fn strided(values: &'a mut [f32], rows: usize, cols: usize, stride: usize) -> MatMut<'a> {
        let shape = (rows, cols).strides((stride, 1));
        MatMut(ArrayViewMut2::from_shape(shape, values).expect("a matrix lies within its slice"))
    }
}

/// c = a·b, or c += a·b where `add`.
pub(crate) fn product(a: Mat<'_>, b: Mat<'_>, mut c: MatMut<'_>, add: bool) {
    general_mat_mul(1.0, &a.0, &b.0, if add { 1.0 } else { 0.0 }, &mut c.0);
}
