//! Names to codes in the order of first sight, for text and for whole numbers.
//!
//! A code is the number of distinct names seen before it, so it depends on the file's order and on nothing else.
//! Whole-number ids never become text while a log is read: [`IntCoder`] answers from a plain array where the ids lie
//! close together, and from an open-addressing table elsewhere.

use xxhash_rust::xxh3::xxh3_64;

const EMPTY: u32 = u32::MAX;

/// Codes for byte strings.
#[derive(Debug, Clone)]
pub(crate) struct StrCoder {
    arena: Vec<u8>,
    ends: Vec<usize>,
    hashes: Vec<u64>,
    slots: Vec<u32>,
}

impl Default for StrCoder {
    fn default() -> StrCoder {
        StrCoder { arena: Vec::new(), ends: Vec::new(), hashes: Vec::new(), slots: vec![EMPTY; 64] }
    }
}

impl StrCoder {
    /// Number of distinct names.
    pub(crate) fn len(&self) -> usize {
        self.ends.len()
    }

    /// The name of `code`.
    pub(crate) fn name(&self, code: usize) -> &[u8] {
        let start = if code == 0 { 0 } else { self.ends[code - 1] };
        &self.arena[start..self.ends[code]]
    }

    /// The code of `name`, a new one at first sight.
    #[inline]
    pub(crate) fn code(&mut self, name: &[u8]) -> u32 {
        let hash = xxh3_64(name);
        let mask = self.slots.len() - 1;
        let mut at = hash as usize & mask;
        loop {
            let code = self.slots[at];
            if code == EMPTY {
                break;
            }
            if self.hashes[code as usize] == hash && self.name(code as usize) == name {
                return code;
            }
            at = (at + 1) & mask;
        }
        let code = self.ends.len() as u32;
        assert!(code < EMPTY - 1, "a dictionary holds fewer than 2^32 - 1 names");
        self.slots[at] = code;
        self.arena.extend_from_slice(name);
        self.ends.push(self.arena.len());
        self.hashes.push(hash);
        if self.ends.len() * 2 > self.slots.len() {
            self.grow();
        }
        code
    }

    fn grow(&mut self) {
        let mask = self.slots.len() * 2 - 1;
        self.slots = vec![EMPTY; mask + 1];
        for (code, &hash) in self.hashes.iter().enumerate() {
            let mut at = hash as usize & mask;
            while self.slots[at] != EMPTY {
                at = (at + 1) & mask;
            }
            self.slots[at] = code as u32;
        }
    }
}

/// Largest array that answers ids directly: 16 million ids, 64 MiB.
const DENSE_LIMIT: i64 = 1 << 24;

/// Codes for whole numbers.
#[derive(Debug, Clone)]
pub(crate) struct IntCoder {
    base: i64,
    dense: Vec<u32>,
    names: Vec<i64>,
    slots: Vec<(i64, u32)>,
    sparse: usize,
}

impl IntCoder {
    /// A coder; `range` is the smallest and largest id where the file says so.
    pub(crate) fn new(range: Option<(i64, i64)>, rows: u64) -> IntCoder {
        let width = range.and_then(|(low, high)| high.checked_sub(low)).filter(|w| (0..DENSE_LIMIT).contains(w));
        // an array much larger than the file would cost more to clear than the table costs to ask
        let width = width.filter(|&w| (w as u64) < rows.saturating_mul(4).max(65_536));
        let dense = width.map_or(Vec::new(), |w| vec![EMPTY; w as usize + 1]);
        IntCoder { base: range.map_or(0, |r| r.0), dense, names: Vec::new(), slots: vec![(0, EMPTY); 64], sparse: 0 }
    }

    /// The ids by code.
    pub(crate) fn names(&self) -> &[i64] {
        &self.names
    }

    /// The code of `id`, a new one at first sight.
    #[inline]
    pub(crate) fn code(&mut self, id: i64) -> u32 {
        let place = id.wrapping_sub(self.base) as u64;
        if place < self.dense.len() as u64 {
            let slot = &mut self.dense[place as usize];
            if *slot == EMPTY {
                *slot = self.names.len() as u32;
                self.names.push(id);
            }
            return *slot;
        }
        self.sparse_code(id)
    }

    fn sparse_code(&mut self, id: i64) -> u32 {
        let mask = self.slots.len() - 1;
        let mut at = mix(id) & mask;
        loop {
            let (key, code) = self.slots[at];
            if code == EMPTY {
                break;
            }
            if key == id {
                return code;
            }
            at = (at + 1) & mask;
        }
        let code = self.names.len() as u32;
        assert!(code < EMPTY - 1, "a dictionary holds fewer than 2^32 - 1 names");
        self.slots[at] = (id, code);
        self.names.push(id);
        self.sparse += 1;
        if self.sparse * 2 > self.slots.len() {
            let old = std::mem::take(&mut self.slots);
            let mask = old.len() * 2 - 1;
            self.slots = vec![(0, EMPTY); mask + 1];
            for (key, code) in old.into_iter().filter(|s| s.1 != EMPTY) {
                let mut at = mix(key) & mask;
                while self.slots[at].1 != EMPTY {
                    at = (at + 1) & mask;
                }
                self.slots[at] = (key, code);
            }
        }
        code
    }
}

#[inline]
fn mix(id: i64) -> usize {
    let h = (id as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (h ^ (h >> 32)) as usize
}

/// Codes for whole numbers that lie close together, in their own order: a code is the place in the range, and nothing has
/// to be looked up. Numbers outside the range the file claims follow in the order of first sight.
#[derive(Debug, Clone)]
pub(crate) struct PlaceCoder {
    base: i64,
    seen: Vec<bool>,
    others: IntCoder,
}

impl PlaceCoder {
    /// The coder for this range, if it is at most as wide as there are rows.
    fn new((low, high): (i64, i64), rows: u64) -> Option<PlaceCoder> {
        let width = high.checked_sub(low).filter(|w| (0..DENSE_LIMIT).contains(w) && (*w as u64) < rows)?;
        Some(PlaceCoder { base: low, seen: vec![false; width as usize + 1], others: IntCoder::new(None, 0) })
    }

    #[inline]
    fn code(&mut self, id: i64) -> u32 {
        let place = id.wrapping_sub(self.base) as u64;
        match self.seen.get_mut(place as usize) {
            Some(seen) => {
                *seen = true;
                place as u32
            }
            None => self.seen.len() as u32 + self.others.code(id),
        }
    }

    /// Ids that were seen, ascending, and the final position of every code (0 for codes that no row has).
    fn into_ranked(self) -> (Vec<String>, Vec<u32>) {
        let mut ids: Vec<(i64, u32)> = (0..self.seen.len())
            .filter(|&place| self.seen[place])
            .map(|place| (self.base + place as i64, place as u32))
            .collect();
        let width = self.seen.len() as u32;
        let others = self.others.names();
        ids.extend(others.iter().enumerate().map(|(i, &id)| (id, width + i as u32)));
        if !others.is_empty() {
            ids.sort_unstable();
        }
        let mut rank = vec![0; self.seen.len() + others.len()];
        for (position, &(_, code)) in ids.iter().enumerate() {
            rank[code as usize] = position as u32;
        }
        (ids.into_iter().map(|(id, _)| id.to_string()).collect(), rank)
    }
}

/// A column's coder: text or whole numbers, whichever its first block holds.
#[derive(Debug, Clone)]
pub(crate) enum KeyCoder {
    /// Nothing seen yet; the range a whole-number column would have.
    Unseen { range: Option<(i64, i64)>, rows: u64 },
    /// Text.
    Text(StrCoder),
    /// Whole numbers.
    Ints(IntCoder),
    /// Whole numbers whose order of first sight nobody asks for.
    Places(PlaceCoder),
}

impl KeyCoder {
    /// The coder for ids whose codes name no order, as customers': they are ranked in the end.
    pub(crate) fn of_customers(range: Option<(i64, i64)>, rows: u64) -> KeyCoder {
        match range.and_then(|r| PlaceCoder::new(r, rows)) {
            Some(places) => KeyCoder::Places(places),
            None => KeyCoder::Unseen { range, rows },
        }
    }

    /// Codes of whole numbers, or `None` when text was seen before; `no_id` gets the code of a missing id.
    pub(crate) fn int_codes(&mut self, ids: &[i64], no_id: i64) -> Option<Vec<u32>> {
        if let KeyCoder::Unseen { range, rows } = *self {
            *self = KeyCoder::Ints(IntCoder::new(range, rows));
        }
        let missing = guike_core::Events::MISSING;
        Some(match self {
            KeyCoder::Places(c) => ids.iter().map(|&id| if id == no_id { missing } else { c.code(id) }).collect(),
            KeyCoder::Ints(c) => ids.iter().map(|&id| if id == no_id { missing } else { c.code(id) }).collect(),
            _ => return None,
        })
    }

    /// The coder for text.
    pub(crate) fn text(&mut self) -> &mut StrCoder {
        if let KeyCoder::Unseen { .. } = self {
            *self = KeyCoder::Text(StrCoder::default());
        }
        if let KeyCoder::Places(places) = self {
            // every place keeps its code, whether an id stands there or not
            let mut text = StrCoder::default();
            let ids = (0..places.seen.len() as i64).map(|place| places.base + place);
            for id in ids.chain(places.others.names().iter().copied()) {
                text.code(id.to_string().as_bytes());
            }
            *self = KeyCoder::Text(text);
        }
        if let KeyCoder::Ints(ints) = self {
            // a column that turns out to hold text after all keeps its codes
            let mut text = StrCoder::default();
            for id in ints.names() {
                text.code(id.to_string().as_bytes());
            }
            *self = KeyCoder::Text(text);
        }
        match self {
            KeyCoder::Text(coder) => coder,
            _ => unreachable!("made text above"),
        }
    }

    /// Names by code.
    pub(crate) fn into_names(self) -> Vec<String> {
        match self {
            KeyCoder::Unseen { .. } => Vec::new(),
            KeyCoder::Text(coder) => {
                (0..coder.len()).map(|i| String::from_utf8_lossy(coder.name(i)).into_owned()).collect()
            }
            KeyCoder::Ints(coder) => coder.names().iter().map(i64::to_string).collect(),
            KeyCoder::Places(_) => unreachable!("customers are ranked, never listed by code"),
        }
    }

    /// Names in the log's final order, and the final position of every code.
    pub(crate) fn into_ranked(self) -> (Vec<String>, Vec<u32>) {
        if let KeyCoder::Places(places) = self {
            return places.into_ranked();
        }
        let order_of = |n: usize| (0..n as u32).collect::<Vec<u32>>();
        if let KeyCoder::Ints(coder) = &self {
            let ids = coder.names();
            let mut order = order_of(ids.len());
            order.sort_unstable_by_key(|&c| ids[c as usize]);
            return (order.iter().map(|&c| ids[c as usize].to_string()).collect(), inverse(&order));
        }
        let mut names = self.into_names();
        let order = customer_order(&names);
        let ranked = order.iter().map(|&c| std::mem::take(&mut names[c as usize])).collect();
        (ranked, inverse(&order))
    }
}

/// The order in which a log has these customers, as their positions: whole numbers by value where all are such, else by bytes.
///
/// ```
/// let ids = ["10", "9", "100"].map(str::to_owned);
/// assert_eq!(guike_data::customer_order(&ids), [1, 0, 2]);
/// ```
pub fn customer_order(ids: &[String]) -> Vec<u32> {
    let mut order: Vec<u32> = (0..ids.len() as u32).collect();
    let numbers: Option<Vec<i64>> = ids.iter().map(|id| canonical_integer(id.as_bytes())).collect();
    match numbers {
        Some(numbers) => order.sort_unstable_by_key(|&c| numbers[c as usize]),
        None => order.sort_unstable_by(|&a, &b| ids[a as usize].cmp(&ids[b as usize])),
    }
    order
}

fn inverse(order: &[u32]) -> Vec<u32> {
    let mut rank = vec![0; order.len()];
    for (position, &code) in order.iter().enumerate() {
        rank[code as usize] = position as u32;
    }
    rank
}

/// The integer that prints exactly as `text`: no leading zeros, no plus sign.
pub(crate) fn canonical_integer(text: &[u8]) -> Option<i64> {
    let digits = text.strip_prefix(b"-").unwrap_or(text);
    let leading_zero = digits.len() > 1 && digits[0] == b'0';
    if digits.is_empty() || digits.len() > 18 || leading_zero || !digits.iter().all(u8::is_ascii_digit) || text == b"-0"
    {
        return None;
    }
    let value = digits.iter().fold(0_i64, |v, &d| v * 10 + i64::from(d - b'0'));
    Some(if digits.len() == text.len() { value } else { -value })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_follow_first_sight() {
        let mut text = StrCoder::default();
        for i in (0..1000).chain(0..1000) {
            assert_eq!(text.code(format!("c{i}").as_bytes()), i);
        }
        assert_eq!((text.len(), text.name(7)), (1000, &b"c7"[..]));
        for range in [None, Some((-5, 2000)), Some((100, 200))] {
            let mut ints = IntCoder::new(range, 1000);
            for i in (0..1000).chain(0..1000) {
                assert_eq!(ints.code(i64::from(i) * 3 - 5), i as u32);
            }
        }
    }

    #[test]
    fn ids_in_a_range_are_coded_by_their_place() {
        let mut coder = KeyCoder::of_customers(Some((10, 14)), 100);
        assert!(matches!(coder, KeyCoder::Places(_)));
        // 99 and 3 lie outside what the file claims
        let codes = coder.int_codes(&[14, 10, 99, -1, 3, 14], -1).expect("numbers");
        assert_eq!(codes, [4, 0, 5, guike_core::Events::MISSING, 6, 4]);
        let mut as_text = coder.clone();
        assert_eq!((as_text.text().code(b"14"), as_text.text().code(b"3"), as_text.text().code(b"new")), (4, 6, 7));
        let (ids, rank) = coder.into_ranked();
        assert_eq!(ids, ["3", "10", "14", "99"]);
        assert_eq!([4, 0, 5, 6].map(|code: usize| rank[code]), [2, 1, 3, 0]);
        assert!(matches!(KeyCoder::of_customers(Some((0, 1000)), 100), KeyCoder::Unseen { .. }));
    }

    #[test]
    fn whole_number_ids_rank_by_value_and_others_by_bytes() {
        let ranked = |names: &[&str]| {
            let mut coder = KeyCoder::Unseen { range: None, rows: 0 };
            names.iter().for_each(|n| {
                coder.text().code(n.as_bytes());
            });
            coder.into_ranked()
        };
        assert_eq!(ranked(&["10", "9", "100"]), (vec!["9".into(), "10".into(), "100".into()], vec![1, 0, 2]));
        assert_eq!(ranked(&["10", "09", "100"]).0, vec!["09", "10", "100"]);
        assert_eq!(ranked(&["b", "10", "9"]).0, vec!["10", "9", "b"]);
    }
}
