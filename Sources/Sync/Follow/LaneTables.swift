/// The tables of a lane as the stream has described them so far, by their OIDs on the source.
///
/// A table that is described anew within a group is kept as it was at the group's start, until the
/// group is committed: a replay reads a change by the description that came before it.
final class LaneTables {
    typealias Entry = (table: LaneTable, statements: ApplyStatements)

    /// Where the changes of a relation belong.
    enum Place {
        case here(Entry)
        /// In another lane.
        case elsewhere
        case unknown
    }

    private typealias Description = (entry: Entry, message: [UInt8])

    private let others: Set<UInt32>
    private var descriptions: [UInt32: Description] = [:]
    private var replaced: [UInt32: Description?] = [:]
    /// What ``place(of:)`` found last, by the low bits of the OID: a dictionary's hash per change costs more than the rest.
    private var recent = LaneTables.nothingFound

    /// `others`: the tables of the other lanes.
    init(others: Set<UInt32>) {
        self.others = others
    }

    /// All tables that were described.
    var all: some Collection<Entry> { descriptions.values.lazy.map(\.entry) }

    subscript(relation: UInt32) -> Entry? { descriptions[relation]?.entry }

    /// Says where the changes of a relation belong.
    func place(of relation: UInt32) -> Place {
        let slot = Int(relation) & (recent.count - 1)
        if recent[slot].relation == relation { return recent[slot].place }
        let place: Place =
            if let entry = self[relation] { .here(entry) } else if others.contains(relation) { .elsewhere } else {
                .unknown
            }
        recent[slot] = (relation, place)
        return place
    }

    /// Whether a Relation message says what is known already.
    func knows(_ message: [UInt8], of relation: UInt32) -> Bool {
        descriptions[relation]?.message == message
    }

    /// Takes in how a table is sent from now on.
    func describe(_ relation: UInt32, by message: [UInt8], as entry: Entry) {
        if replaced[relation] == nil { replaced[relation] = .some(descriptions[relation]) }
        descriptions[relation] = (entry, message)
        recent = Self.nothingFound
    }

    /// Begins a new group.
    func keep() {
        if !replaced.isEmpty { replaced = [:] }
    }

    /// Goes back to what was known at the group's start.
    func goBack() {
        for (relation, description) in replaced { descriptions[relation] = description }
        replaced = [:]
        recent = Self.nothingFound
    }

    private static var nothingFound: ContiguousArray<(relation: UInt32, place: Place)> {
        ContiguousArray(repeating: (0, .unknown), count: 64)
    }
}
