//! Slices as arrays, piece by piece: `slice::as_chunks`, which the oldest supported compiler lacks.

/// Returns the arrays of `N` that the slice begins with; fewer items than that at its end are left out.
#[inline]
pub(crate) fn chunks<const N: usize>(bytes: &[u8]) -> impl Iterator<Item = &[u8; N]> {
    bytes.chunks_exact(N).filter_map(|chunk| chunk.try_into().ok())
}

/// Returns the same arrays, to be written.
#[inline]
pub(crate) fn chunks_mut<const N: usize>(bytes: &mut [u8]) -> impl Iterator<Item = &mut [u8; N]> {
    bytes.chunks_exact_mut(N).filter_map(|chunk| chunk.try_into().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slice_is_cut_into_arrays_from_its_start() {
        let mut bytes = [1, 2, 3, 4, 5];
        assert!(chunks(&bytes).eq(&[[1, 2], [3, 4]]));
        chunks_mut(&mut bytes).for_each(|pair| *pair = [pair[1], pair[0]]);
        assert_eq!(bytes, [2, 1, 4, 3, 5]);
    }
}
