/// Tells apart what versions of PostgreSQL only write in another way.
enum Rendering {
    /// Whether two values mean the same.
    ///
    /// Before version 16 `pg_get_viewdef` put the table before every column, since then only where a query has more
    /// than one (PostgreSQL's commit "Get rid of the old and new entries in a view's rangetable").
    static func isSame(_ one: String?, _ other: String?, of property: String?, versions: (Int, Int)) -> Bool {
        guard let one, let other else { return one == nil && other == nil }
        if one.utf8.elementsEqual(other.utf8) { return true }
        guard property == "definition" else { return false }
        if versions.0 < 16, versions.1 >= 16 { return isSame(qualified: one, as: other) }
        if versions.1 < 16, versions.0 >= 16 { return isSame(qualified: other, as: one) }
        return false
    }

    /// Whether the first text is the second one, but for names of tables before columns.
    ///
    /// What stands in FROM is equal then, so a column without its table has only that one table to belong to. Functions,
    /// types and tables keep their schemas: only a name is left out that stands elsewhere without a point after it.
    static func isSame(qualified: String, as plain: String) -> Bool {
        let left = tokens(of: qualified)
        let right = tokens(of: plain)
        var ranges: Set<Substring> = []
        for (place, token) in left.enumerated() where !(place + 1 < left.count && left[place + 1] == ".") {
            ranges.insert(token)
        }
        var (i, j) = (0, 0)
        while i < left.count {
            if j < right.count, left[i].utf8.elementsEqual(right[j].utf8),
                !(i + 1 < left.count && left[i + 1] == "." && !(j + 1 < right.count && right[j + 1] == "."))
            {
                i += 1
                j += 1
            } else if i + 2 < left.count, left[i + 1] == ".", ranges.contains(left[i]),
                !(i + 3 < left.count && left[i + 3] == "("), !(i > 0 && left[i - 1] == ".")
            {
                i += 2
            } else {
                return false
            }
        }
        return j == right.count
    }

    /// Splits SQL that the server has written: names, literals, white space left out, every other character by itself.
    private static func tokens(of text: String) -> [Substring] {
        text.matches(of: /"(?:[^"]|"")*"|'(?:[^']|'')*'|[\p{L}_][\p{L}\p{N}_$]*|[0-9]+|\S/).map(\.output)
    }
}
