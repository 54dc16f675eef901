import Postgres

/// The changes of one table in one group, folded to at most one net change per key.
///
/// | before | then insert | then update | then delete |
/// |---|---|---|---|
/// | nothing | insert | update | delete |
/// | insert | – | insert, merged | nothing |
/// | update | – | update, merged | delete |
/// | delete | replace | – | – |
/// | replace | – | replace, merged | delete |
///
/// A dash cannot come from a source that keeps its keys unique; then the group is replayed row by
/// row, which tells the row. *Merged* means: a column that was not sent, because its TOASTed value
/// did not change, keeps the value that the earlier change brought.
final class ChangeSet {
    enum Net: UInt8 {
        case nothing, insert, update, delete, replace
    }

    struct Entry {
        var net: Net
        /// Where the tuple is in ``bytes``: the new one, or for a delete the one with the key.
        var tuple: Int
        var length: Int
        /// Which columns were not sent; an index into ``gaps``.
        var gap: Int
    }

    let bytes = Bytes()
    private(set) var entries: ContiguousArray<Entry> = []
    /// The sets of columns that were not sent; the first is the empty one.
    private(set) var gaps: [[Int]] = [[]]
    /// Whether a change came that cannot follow the ones before it.
    private(set) var isImpossible = false

    private var map = KeyMap()
    private let keyPlaces: [Int]
    private let keyBytes = Bytes(capacity: 256)
    private var slices: ContiguousArray<Tuple.Slice> = []

    init(keyPlaces: [Int]) {
        self.keyPlaces = keyPlaces
    }

    var isEmpty: Bool { entries.isEmpty }

    /// Calls `body` with every key that was changed.
    func forEachKey(_ body: (UnsafeRawBufferPointer) -> Void) {
        for place in 0..<map.count { body(map.key(place)) }
    }

    /// The entries that `isWanted` chooses, in the order of their keys' bytes, which for numbers is that of their values.
    ///
    /// Neighbours share a page of the index and, most often, of the table. Those without keys stay as they came.
    func sorted(_ isWanted: (Entry) -> Bool) -> [Entry] {
        guard map.count == entries.count else { return entries.filter(isWanted) }
        let places = entries.indices.filter { isWanted(entries[$0]) }
        return map.sorted(places).map { entries[$0] }
    }

    /// Adds an insert of a table without a key, which has nothing to be folded with.
    func addKeyless(_ tuple: UnsafeRawBufferPointer) {
        entries.append(Entry(net: .insert, tuple: bytes.append(tuple), length: tuple.count, gap: 0))
    }

    /// Adds a change; `tuple` is the new row, or for a delete the old one.
    func add(_ net: Net, _ tuple: UnsafeRawBufferPointer) {
        Tuple.slice(tuple, into: &slices)
        Self.writeKey(of: tuple, slices, at: keyPlaces, into: keyBytes)
        let gap = net == .update && Tuple.hasUnchanged(slices) ? gapIndex() : 0
        let entry = Entry(net: net, tuple: bytes.append(tuple), length: tuple.count, gap: gap)
        let (place, isNew) = map.place(of: keyBytes.view)
        if isNew { entries.append(entry) } else { fold(entry, into: place) }
    }

    /// Forgets everything.
    func removeAll() {
        entries.removeAll(keepingCapacity: entries.count < 100_000)
        bytes.removeAll()
        map.removeAll()
        isImpossible = false
        if gaps.count > 64 { gaps.removeSubrange(1...) }
    }

    /// Whether two tuples name the same row.
    func isSameKey(_ old: UnsafeRawBufferPointer, _ new: UnsafeRawBufferPointer) -> Bool {
        var oldSlices: ContiguousArray<Tuple.Slice> = []
        Tuple.slice(old, into: &oldSlices)
        Tuple.slice(new, into: &slices)
        return keyPlaces.allSatisfy { place in
            let (a, b) = (oldSlices[place], slices[place])
            // An unchanged column was not sent because it is as it was.
            if b.kind == Tuple.Slice.unchanged { return true }
            guard a.kind == b.kind, a.length == b.length else { return false }
            return UnsafeRawBufferPointer(rebasing: old[a.offset..<a.offset + a.length])
                .isSame(as: UnsafeRawBufferPointer(rebasing: new[b.offset..<b.offset + b.length]))
        }
    }

    private func fold(_ new: Entry, into place: Int) {
        let old = entries[place]
        switch (old.net, new.net) {
        case (.nothing, .insert): entries[place] = new
        case (.insert, .update), (.update, .update), (.replace, .update):
            entries[place] = merged(old, new, as: old.net)
        case (.insert, .delete): entries[place].net = .nothing
        case (.update, .delete), (.replace, .delete): entries[place] = new
        case (.delete, .insert):
            entries[place] = new
            entries[place].net = .replace
        default: isImpossible = true
        }
    }

    private func merged(_ old: Entry, _ new: Entry, as net: Net) -> Entry {
        guard new.gap != 0 else {
            var entry = new
            entry.net = net
            return entry
        }
        let (tuple, length) = Tuple.merge(
            newer: (new.tuple, new.length),
            older: (old.tuple, old.length),
            in: bytes
        )
        Tuple.slice(bytes.view(tuple, length), into: &slices)
        return Entry(net: net, tuple: tuple, length: length, gap: Tuple.hasUnchanged(slices) ? gapIndex() : 0)
    }

    private func gapIndex() -> Int {
        let gap = slices.indices.filter { slices[$0].kind == Tuple.Slice.unchanged }
        if let index = gaps.firstIndex(of: gap) { return index }
        gaps.append(gap)
        return gaps.count - 1
    }

    /// Writes the key's values one after the other, each with its length, so that no two keys read the same.
    static func writeKey(
        of tuple: UnsafeRawBufferPointer,
        _ slices: ContiguousArray<Tuple.Slice>,
        at places: [Int],
        into bytes: Bytes
    ) {
        bytes.removeAll()
        for place in places {
            let slice = slices[place]
            bytes.append(bigEndian: slice.kind == Tuple.Slice.null ? Int32(-1) : Int32(slice.length))
            bytes.append(UnsafeRawBufferPointer(rebasing: tuple[slice.offset..<slice.offset + slice.length]))
        }
    }
}
