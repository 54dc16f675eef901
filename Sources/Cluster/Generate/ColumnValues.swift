/// Which values a column may get: by its type, its name, and what the checks want of it.
struct ColumnValues {
    /// The days from which dates come, since 1970-01-01.
    let days: ClosedRange<Int>
    let seed: UInt64

    /// The values of a column; nil when its type is not known.
    ///
    /// `conditions` are those that a CHECK sets for it alone; `mustDiffer` asks for values that are distinct.
    func values(
        of column: TableShape.Column,
        _ conditions: [CheckExpression.Wish],
        mustDiffer: Bool
    ) -> (any ValueSet)? {
        let listed = conditions.compactMap { if case .oneOf(let texts) = $0 { texts } else { nil } }
        if let first = listed.first {
            // What all lists have.
            return ListedValues(first.filter { text in listed.allSatisfy { $0.contains(text) } })
        }
        let elements = elements(of: column, conditions, mustDiffer: mustDiffer)
        return column.isArray ? elements.map { Arrays(elements: $0) } : elements
    }

    private func elements(
        of column: TableShape.Column,
        _ conditions: [CheckExpression.Wish],
        mustDiffer: Bool
    ) -> (any ValueSet)? {
        switch column.kind {
        case "e": return ListedValues(column.labels)
        case "r", "m":
            let bounds = plain(column.bound, modifier: -1, name: column.name, conditions, mustDiffer: true)
            return bounds.map { DisjointRanges(of: $0, isMultirange: column.kind == "m") }
        case "b":
            return plain(
                column.type,
                modifier: column.modifier,
                name: column.name,
                conditions,
                mustDiffer: mustDiffer
            )
        default: return nil
        }
    }

    private func plain(
        _ type: String,
        modifier: Int,
        name: String,
        _ conditions: [CheckExpression.Wish],
        mustDiffer: Bool
    ) -> (any ValueSet)? {
        switch type {
        case "int2", "int4", "int8", "numeric", "float4", "float8", "money":
            return NumberRange(type: type, modifier: modifier).values(for: name, conditions)
        case "text", "varchar", "bpchar", "citext", "name", "char":
            return text(type, modifier: modifier, name: name, conditions, mustDiffer: mustDiffer)
        case "date", "timestamp", "timestamptz": return moments(type, modifier: modifier, name: name, conditions)
        case "time", "timetz":
            return TimesOfDay(hasZone: type == "timetz", places: modifier >= 0 ? min(3, modifier) : 3)
        case "bit", "varbit": return BitStrings(length: modifier > 0 ? modifier : type == "bit" ? 1 : 16)
        default: return Self.fixed(type, seed: seed)
        }
    }

    private static func fixed(_ type: String, seed: UInt64) -> (any ValueSet)? {
        switch type {
        case "bool": ListedValues(["t", "f"])
        case "uuid": RandomUUIDs(seed: seed)
        case "bytea": ByteStrings(seed: seed)
        case "interval": Spans()
        case "inet": NetworkAddresses(form: .host)
        case "cidr": NetworkAddresses(form: .network)
        case "macaddr": NetworkAddresses(form: .hardware)
        case "macaddr8": NetworkAddresses(form: .hardware8)
        case "json", "jsonb": Documents(form: .json)
        case "xml": Documents(form: .xml)
        case "hstore": Documents(form: .pairs)
        case "tsvector": Documents(form: .lexemes)
        case "point": Documents(form: .point)
        case "circle": Documents(form: .circle)
        case "box", "lseg": Documents(form: .rectangle)
        case "oid": DecimalNumbers(from: 20_000, through: 2_000_000_000)
        default: nil
        }
    }

    // MARK: Texts

    private func text(
        _ type: String,
        modifier: Int,
        name: String,
        _ conditions: [CheckExpression.Wish],
        mustDiffer: Bool
    ) -> any ValueSet {
        // The modifier of varchar and char has the length of its own header in it (VARHDRSZ).
        var longest = modifier > 4 ? modifier - 4 : 10_000
        if type == "name" { longest = 63 }
        if type == "char" { longest = 1 }
        var (shortest, pattern): (Int, TextPattern?) = (0, nil)
        for condition in conditions {
            switch condition {
            case .lengthAtLeast(let length): shortest = max(shortest, length)
            case .lengthAtMost(let length): longest = min(longest, length)
            case .matches(let expression):
                pattern = pattern ?? RegexPattern.parts(of: expression).map { TextPattern($0, isWhole: true) }
            default: break
            }
        }
        // One that is too long or too short is left to the server's own look at it.
        if let pattern, pattern.longest <= longest, pattern.shortest >= shortest { return pattern }
        return mustDiffer
            ? PlausibleText.distinctValues(for: name, longest: longest, shortest: shortest)
            : PlausibleText.values(for: name, longest: longest, shortest: shortest)
    }

    // MARK: Dates

    private func moments(
        _ type: String,
        modifier: Int,
        name: String,
        _ conditions: [CheckExpression.Wish]
    ) -> any ValueSet {
        let isBirth = PlausibleText.words(of: name).contains {
            ["birth", "birthday", "birthdate", "nascimento"].contains($0)
        }
        // From 1940 to 2005.
        let window = isBirth ? -10_957...13_148 : days
        guard type != "date" else {
            let (first, last) = bounds(window, conditions) { text, isOpen in
                Dates.day(of: text).map { isOpen ? $0 + 1 : $0 }
            } last: { text, isOpen in
                Dates.day(of: text).map { isOpen ? $0 - 1 : $0 }
            }
            return Dates(first: first, count: UInt64(max(0, last - first) + 1))
        }
        let milliseconds = window.lowerBound * 86_400_000...(window.upperBound + 1) * 86_400_000 - 1
        let (first, last) = bounds(milliseconds, conditions) { text, isOpen in
            Moments.moment(of: text).map { isOpen ? $0 + 1 : $0 }
        } last: { text, isOpen in
            Moments.moment(of: text).map { isOpen ? $0 - 1 : $0 }
        }
        return Moments(
            first: first,
            count: UInt64(max(0, last - first) + 1),
            hasZone: type == "timestamptz",
            places: modifier >= 0 ? min(3, modifier) : 3
        )
    }

    /// A window, cut by what checks want; where nothing of it is left it is moved.
    private func bounds(
        _ window: ClosedRange<Int>,
        _ conditions: [CheckExpression.Wish],
        first: (String, Bool) -> Int?,
        last: (String, Bool) -> Int?
    ) -> (Int, Int) {
        var (lowest, highest): (Int?, Int?) = (nil, nil)
        for condition in conditions {
            switch condition {
            case .atLeast(let text, let isOpen):
                if let value = first(text, isOpen) { lowest = max(lowest ?? value, value) }
            case .atMost(let text, let isOpen):
                if let value = last(text, isOpen) { highest = min(highest ?? value, value) }
            default: break
            }
        }
        return window.moved(within: lowest, highest)
    }
}

extension ClosedRange<Int> {
    /// The part of it that lies between two bounds; where there is none, as many values next to the nearer bound.
    func moved(within lowest: Int?, _ highest: Int?) -> (Int, Int) {
        let span = upperBound - lowerBound
        var (first, last) = (lowerBound, upperBound)
        if let lowest, lowest > first {
            first = lowest
            if first > last { last = first + span }
        }
        if let highest, highest < last {
            last = highest
            if last < first { first = Swift.max(lowest ?? last - span, last - span) }
        }
        return (first, Swift.max(first, last))
    }
}
