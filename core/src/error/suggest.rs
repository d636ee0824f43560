/// Longest name that is compared, in characters: longer ones are not typing slips.
const LONGEST: usize = 64;

/// Returns the candidate that was probably meant by `name`, if one is near enough to be worth saying.
///
/// Near means few slips of the finger (a letter added, lost, changed, or two neighbours swapped; upper and lower
/// case count as the same): one for names up to four characters, two up to eight, three beyond. Of equally near
/// candidates the first wins. A candidate equal to `name` is never suggested.
///
/// # Complexity
/// O(c · l²), c candidates, l their length capped at 64 characters.
///
/// # Examples
/// ```
/// use stackwright::error::suggest;
///
/// assert_eq!(suggest("nmae", ["id", "name"]), Some("name"));
/// assert_eq!(suggest("colour", ["id", "name"]), None);
/// ```
pub fn suggest<'a, I>(name: &str, candidates: I) -> Option<&'a str>
where
    I: IntoIterator<Item = &'a str>,
{
    let wanted = folded(name)?;
    let mut slips_allowed = match wanted.len() {
        0 => return None,
        1..=4 => 1,
        5..=8 => 2,
        _ => 3,
    };
    // A slip may not replace the whole name: `a` does not suggest `b`.
    if wanted.len() == 1 {
        return candidates
            .into_iter()
            .find(|candidate| *candidate != name && folded(candidate).as_ref() == Some(&wanted));
    }
    let mut best = None;
    for candidate in candidates {
        if candidate == name {
            continue;
        }
        let Some(letters) = folded(candidate) else { continue };
        if letters.len().abs_diff(wanted.len()) > slips_allowed || letters.len() < 2 {
            continue;
        }
        let slips = distance(&wanted, &letters);
        let better = if best.is_none() { slips <= slips_allowed } else { slips < slips_allowed };
        if better {
            slips_allowed = slips;
            best = Some(candidate);
        }
    }
    best
}

/// Returns the letters in lower case, or nothing for a name too long to compare.
fn folded(name: &str) -> Option<Vec<char>> {
    let letters: Vec<char> = name.chars().take(LONGEST + 1).flat_map(char::to_lowercase).collect();
    (letters.len() <= LONGEST).then_some(letters)
}

/// Returns the number of single-letter edits and swaps of neighbours between two words (optimal string alignment).
fn distance(left: &[char], right: &[char]) -> usize {
    let mut before: Vec<usize> = Vec::new();
    let mut above: Vec<usize> = (0..=right.len()).collect();
    for (row, &left_letter) in left.iter().enumerate() {
        let mut current = Vec::with_capacity(right.len() + 1);
        current.push(row + 1);
        let mut beside = row + 1;
        for (column, (&right_letter, window)) in right.iter().zip(above.windows(2)).enumerate() {
            let [diagonal, up] = *window else { continue };
            let mut cost = (diagonal + usize::from(left_letter != right_letter)).min(up + 1).min(beside + 1);
            let swapped = column > 0
                && row > 0
                && left.get(row - 1) == Some(&right_letter)
                && right.get(column - 1) == Some(&left_letter);
            if let (true, Some(&two_back)) = (swapped, before.get(column.wrapping_sub(1))) {
                cost = cost.min(two_back + 1);
            }
            current.push(cost);
            beside = cost;
        }
        before = std::mem::replace(&mut above, current);
    }
    above.last().copied().unwrap_or(left.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slips(left: &str, right: &str) -> usize {
        distance(&left.chars().collect::<Vec<_>>(), &right.chars().collect::<Vec<_>>())
    }

    #[test]
    fn slips_are_counted() {
        assert_eq!(slips("", ""), 0);
        assert_eq!(slips("", "abc"), 3);
        assert_eq!(slips("abc", ""), 3);
        assert_eq!(slips("name", "name"), 0);
        assert_eq!(slips("nmae", "name"), 1);
        assert_eq!(slips("ab", "ba"), 1);
        assert_eq!(slips("ca", "abc"), 3);
        assert_eq!(slips("kitten", "sitting"), 3);
        assert_eq!(slips("größe", "grösse"), 2);
    }

    #[test]
    fn near_names_are_suggested() {
        let known = ["id", "name", "region", "instance_type", "versioned"];
        let check = |name, expect| assert_eq!(suggest(name, known), expect, "{name}");
        check("nmae", Some("name"));
        check("Name", Some("name"));
        check("regoin", Some("region"));
        check("instance_typ", Some("instance_type"));
        check("instancetype", Some("instance_type"));
        check("version", Some("versioned"));
        check("name", None);
        check("colour", None);
        check("", None);
        check("x", None);
        check("ip", Some("id"));
    }

    #[test]
    fn the_nearest_wins_then_the_first() {
        assert_eq!(suggest("subnett", ["subnets_x", "subnet", "subnets"]), Some("subnet"));
        assert_eq!(suggest("cat", ["bat", "car"]), Some("bat"));
    }

    #[test]
    fn endless_names_cost_nothing() {
        let long = "a".repeat(1_000_000);
        assert_eq!(suggest(&long, [long.as_str(), "a"]), None);
        assert_eq!(suggest("name", [long.as_str()]), None);
    }
}
