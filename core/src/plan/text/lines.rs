/// One element of two sequences put side by side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pair {
    /// In both: places in the old and in the new sequence.
    Same(usize, usize),
    /// Only in the old one.
    Old(usize),
    /// Only in the new one.
    New(usize),
}

/// The greatest table that is filled to find what two sequences share; beyond it they count as wholly different.
const MOST_CELLS: usize = 4_000_000;

/// Puts two sequences side by side so that as much as possible is shared; old elements come before new ones.
///
/// O(n × m) after what both begin and end with is taken away; beyond a limit the middle counts as different.
pub(super) fn align(old: usize, new: usize, same: impl Fn(usize, usize) -> bool) -> Vec<Pair> {
    let mut head = 0;
    while head < old.min(new) && same(head, head) {
        head += 1;
    }
    let mut tail = 0;
    while tail < (old - head).min(new - head) && same(old - 1 - tail, new - 1 - tail) {
        tail += 1;
    }
    let (rows, columns) = (old - head - tail, new - head - tail);
    let mut pairs: Vec<Pair> = (0..head).map(|idx| Pair::Same(idx, idx)).collect();
    if rows.saturating_mul(columns) <= MOST_CELLS {
        middle(&mut pairs, head, rows, columns, &same);
    } else {
        pairs.extend((head..head + rows).map(Pair::Old));
        pairs.extend((head..head + columns).map(Pair::New));
    }
    pairs.extend((0..tail).map(|idx| Pair::Same(old - tail + idx, new - tail + idx)));
    pairs
}

/// Fills the table of longest common subsequences from the end, then walks it from the start.
fn middle(pairs: &mut Vec<Pair>, head: usize, rows: usize, columns: usize, same: &impl Fn(usize, usize) -> bool) {
    let width = columns + 1;
    let mut table = vec![0_u32; (rows + 1) * width];
    let at = |table: &[u32], row: usize, column: usize| table.get(row * width + column).copied().unwrap_or(0);
    for row in (0..rows).rev() {
        for column in (0..columns).rev() {
            let best = if same(head + row, head + column) {
                at(&table, row + 1, column + 1) + 1
            } else {
                at(&table, row + 1, column).max(at(&table, row, column + 1))
            };
            if let Some(cell) = table.get_mut(row * width + column) {
                *cell = best;
            }
        }
    }
    let (mut row, mut column) = (0, 0);
    while row < rows || column < columns {
        if row < rows && column < columns && same(head + row, head + column) {
            pairs.push(Pair::Same(head + row, head + column));
            row += 1;
            column += 1;
        } else if row < rows && (column == columns || at(&table, row + 1, column) >= at(&table, row, column + 1)) {
            pairs.push(Pair::Old(head + row));
            row += 1;
        } else {
            pairs.push(Pair::New(head + column));
            column += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn show(old: &str, new: &str) -> String {
        let (old, new): (Vec<char>, Vec<char>) = (old.chars().collect(), new.chars().collect());
        align(old.len(), new.len(), |a, b| old[a] == new[b])
            .into_iter()
            .map(|pair| match pair {
                Pair::Same(a, _) => format!(" {}", old[a]),
                Pair::Old(a) => format!("-{}", old[a]),
                Pair::New(b) => format!("+{}", new[b]),
            })
            .collect()
    }

    #[test]
    fn shares_as_much_as_possible() {
        assert_eq!(show("abc", "abc"), " a b c");
        assert_eq!(show("abc", "axc"), " a-b+x c");
        assert_eq!(show("", "ab"), "+a+b");
        assert_eq!(show("abcd", "bcde"), "-a b c d+e");
        assert_eq!(show("abab", "baba"), "-a b a b+a");
    }

    proptest! {
        #[test]
        fn both_sides_can_be_read_off(old in "[abc]{0,12}", new in "[abc]{0,12}") {
            let (a, b): (Vec<char>, Vec<char>) = (old.chars().collect(), new.chars().collect());
            let pairs = align(a.len(), b.len(), |x, y| a[x] == b[y]);
            let left: Vec<usize> = pairs.iter().filter_map(|pair| match pair { Pair::Same(x, _) | Pair::Old(x) => Some(*x), Pair::New(_) => None }).collect();
            let right: Vec<usize> = pairs.iter().filter_map(|pair| match pair { Pair::Same(_, y) | Pair::New(y) => Some(*y), Pair::Old(_) => None }).collect();
            prop_assert_eq!(left, (0..a.len()).collect::<Vec<_>>());
            prop_assert_eq!(right, (0..b.len()).collect::<Vec<_>>());
        }
    }
}
