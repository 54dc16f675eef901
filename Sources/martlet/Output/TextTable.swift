/// Rows of text in columns, as wide as their widest cell; the first row is the heading.
struct TextTable {
    private var rows: [[String]]

    init(_ heading: [String]) {
        rows = [heading]
    }

    mutating func add(_ row: [String]) {
        rows.append(row)
    }

    /// The table without a line break at its end.
    var text: String {
        let widths = (rows.first ?? []).indices.map { column in rows.map { $0[column].count }.max() ?? 0 }
        return rows.map { row in
            row.indices.map { column in
                let padding = column == row.count - 1 ? 0 : widths[column] - row[column].count + 2
                return row[column] + String(repeating: " ", count: padding)
            }.joined()
        }.joined(separator: "\n")
    }
}
