import Postgres

/// How the rows of a table are made: which fields they have, how each is chosen, and what the server is asked about.
struct RowPlan {
    typealias Wish = GeneratedRows.Wish

    /// A field of the rows, in their order.
    enum Place: Sendable {
        /// One that is chosen by itself.
        case free(Field)
        /// A field of a ``CheckedRows``.
        case checked(group: Int, field: Int)
    }

    let table: TableShape
    let wish: Wish
    let format: RowBuffer.Format
    let places: [Place]
    let checked: [CheckedRows]
    /// The columns, in the order of the fields.
    let columns: [TableShape.Column]
    /// How many rows there will be: fewer than wished for where that is allowed, and no more of them can differ.
    let rows: Int

    /// Decides it; `connection` stays in use while rows are made, as it has what is asked about in temporary tables.
    init(
        _ table: TableShape,
        _ wish: Wish,
        _ format: RowBuffer.Format,
        on connection: Connection
    ) throws(PostgresError) {
        (self.table, self.wish, self.format) = (table, wish, format)
        var choices = FieldChoices(table, wish, format, on: connection)
        let fields = try choices.chosen()
        let groups = try RowConditions(table, wish, rows: choices.rows, isEmpty: choices.isEmpty)
            .groups(among: fields, format, on: connection)
        var places: [Place] = []
        for (number, field) in fields.enumerated() {
            if let group = groups.firstIndex(where: { $0.fields.contains(number) }),
                let place = groups[group].fields.firstIndex(of: number)
            {
                places.append(.checked(group: group, field: place))
            } else {
                places.append(.free(field))
            }
        }
        self.places = places
        checked = groups.map(\.rows)
        columns = fields.flatMap(\.columns)
        rows = choices.rows
    }
}

/// Makes the rows of a plan, one after the other.
struct RowMaker {
    private let plan: RowPlan
    private var numbers: SeededNumbers
    /// How many were made.
    private(set) var count = 0

    init(_ plan: RowPlan) {
        self.plan = plan
        numbers = SeededNumbers(seed: plan.wish.seed)
    }

    /// Adds a row.
    ///
    /// - Throws: when there are no more values that differ, or none that satisfy the conditions.
    mutating func append(to buffer: inout RowBuffer) throws(PostgresError) {
        for group in plan.checked { try group.advance() }
        for place in plan.places {
            switch place {
            case .free(let field):
                guard field.append(UInt64(count), to: &buffer, &numbers) else {
                    throw .noMoreValues(for: field, of: plan.table, after: count)
                }
            case .checked(let group, let field): plan.checked[group].append(field, to: &buffer)
            }
            buffer.endField()
        }
        buffer.endRow()
        count += 1
    }
}
