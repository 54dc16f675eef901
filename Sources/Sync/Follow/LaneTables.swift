import Postgres

/// The tables of a lane as the stream has described them so far, by their OIDs on the source.
///
/// A table that is described anew within a group is kept as it was at the group's start, until the
/// group is committed: a replay reads a change by the description that came before it.
final class LaneTables {
    typealias Entry = (table: LaneTable, statements: ApplyStatements)

    /// Where the changes of a relation belong.
    enum Place {
        case here(Entry)
        /// Of this lane, but the target has no place for them; ``failure(of:)`` says why.
        case refused
        /// In another lane.
        case elsewhere
        case unknown
    }

    private typealias Description = (outcome: Result<Entry, PostgresError>, message: [UInt8])

    private let others: Set<UInt32>
    private var descriptions: [UInt32: Description] = [:]
    private var replaced: [UInt32: Description?] = [:]
    /// What ``place(of:)`` found last, by the low bits of the OID: a dictionary's hash per change costs more than the rest.
    private var recent = LaneTables.nothingFound

    /// `others`: the tables of the other lanes.
    init(others: Set<UInt32>) {
        self.others = others
    }

    /// All tables that were described and have their place on the target.
    var all: some Sequence<Entry> { descriptions.values.lazy.compactMap { $0.outcome.entry } }

    subscript(relation: UInt32) -> Entry? { descriptions[relation]?.outcome.entry }

    /// Why the target has no place for a relation's changes as they were described last.
    func failure(of relation: UInt32) -> PostgresError? {
        guard case .failure(let error) = descriptions[relation]?.outcome else { return nil }
        return error
    }

    /// Says where the changes of a relation belong.
    func place(of relation: UInt32) -> Place {
        let slot = Int(relation) & (recent.count - 1)
        if recent[slot].relation == relation { return recent[slot].place }
        let place: Place =
            switch descriptions[relation]?.outcome {
            case .success(let entry): .here(entry)
            case .failure: .refused
            case nil: others.contains(relation) ? .elsewhere : .unknown
            }
        recent[slot] = (relation, place)
        return place
    }

    /// Whether a Relation message says what is known already.
    func knows(_ message: [UInt8], of relation: UInt32) -> Bool {
        descriptions[relation]?.message == message
    }

    /// Takes in how a table is sent from now on.
    ///
    /// A failure is kept, and not thrown: the description may be an old one, or one of a change that
    /// never comes. It counts when a change comes by it.
    func describe(_ relation: UInt32, by message: [UInt8], as outcome: Result<Entry, PostgresError>) {
        if replaced[relation] == nil { replaced[relation] = .some(descriptions[relation]) }
        descriptions[relation] = (outcome, message)
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

extension Result where Success == LaneTables.Entry {
    fileprivate var entry: Success? {
        guard case .success(let entry) = self else { return nil }
        return entry
    }
}
