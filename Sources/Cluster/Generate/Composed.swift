/// Ranges of numbers, dates or moments, none of which overlaps another, as exclusion constraints want it.
struct DisjointRanges: ValueSet {
    /// The bounds, whose order is that of their numbers.
    let bounds: any ValueSet
    /// How many bounds each range has for itself.
    let room: UInt64
    let isMultirange: Bool

    var count: UInt64 { bounds.count / room }
    // Between the bounds stands a comma.
    var isPlain: Bool { false }

    init(of bounds: any ValueSet, isMultirange: Bool) {
        self.bounds = bounds
        self.isMultirange = isMultirange
        // Room for a thousand million ranges, of a thousand steps at most, of two at least.
        room = max(2, min(1000, bounds.count / 1_000_000_000))
    }

    func append(_ number: UInt64, to buffer: inout RowBuffer) {
        let lower = number * room
        let length = 1 + SeededNumbers.mix(number) % (room - 1)
        buffer.append(isMultirange ? "{[" : "[")
        quoted(lower, to: &buffer)
        buffer.append(UInt8(ascii: ","))
        quoted(lower + length, to: &buffer)
        buffer.append(isMultirange ? ")}" : ")")
    }

    /// A moment has a space in it.
    private func quoted(_ bound: UInt64, to buffer: inout RowBuffer) {
        buffer.append(UInt8(ascii: "\""))
        bounds.append(bound, to: &buffer)
        buffer.append(UInt8(ascii: "\""))
    }
}

/// Arrays of one to four elements, the first of which makes them distinct.
struct Arrays: ValueSet {
    let elements: any ValueSet

    var count: UInt64 { elements.count }
    var usual: UInt64 { elements.usual }
    var isDistinct: Bool { elements.isDistinct }
    var isPlain: Bool { false }

    func append(_ number: UInt64, to buffer: inout RowBuffer) {
        buffer.append(UInt8(ascii: "{"))
        var rest = SeededNumbers(seed: number)
        add(number, to: &buffer)
        for _ in 0..<rest.next(below: 4) {
            buffer.append(UInt8(ascii: ","))
            add(rest.next(below: elements.usual), to: &buffer)
        }
        buffer.append(UInt8(ascii: "}"))
    }

    private func add(_ number: UInt64, to buffer: inout RowBuffer) {
        buffer.append(UInt8(ascii: "\""))
        let start = buffer.count
        elements.append(number, to: &buffer)
        if !elements.isPlain {
            let raw = Array(buffer.bytes[start...])
            buffer.cut(to: start)
            for byte in raw {
                if byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\") { buffer.append(UInt8(ascii: "\\")) }
                buffer.append(byte)
            }
        }
        buffer.append(UInt8(ascii: "\""))
    }
}

/// Texts of one kind with their number in them: JSON, XML, hstore, text for a search.
struct Documents: ValueSet {
    enum Form: Sendable { case json, xml, pairs, lexemes, point, circle, rectangle }
    let form: Form

    var count: UInt64 { .max }
    var usual: UInt64 { 1 << 40 }
    var isDistinct: Bool { form == .json || form == .xml || form == .pairs }
    var isPlain: Bool { false }

    func append(_ number: UInt64, to buffer: inout RowBuffer) {
        var numbers = SeededNumbers(seed: number)
        func word() { buffer.append(Words.plain[Int(numbers.next(below: UInt64(Words.plain.count)))]) }
        func coordinates() {
            buffer.append(UInt8(ascii: "("))
            DecimalNumbers(from: -180_000_000_000, through: 180_000_000_000, places: 9)
                .append(SeededNumbers.mix(number) % 360_000_000_000, to: &buffer)
            buffer.append(UInt8(ascii: ","))
            DecimalNumbers(from: -90_000_000, through: 90_000_000, places: 6)
                .append(numbers.next(below: 180_000_000), to: &buffer)
            buffer.append(UInt8(ascii: ")"))
        }
        switch form {
        case .json:
            buffer.append(#"{"number": "#)
            buffer.append(number)
            buffer.append(#", "kind": ""#)
            word()
            buffer.append(#"", "tags": [""#)
            word()
            buffer.append(#"", ""#)
            word()
            buffer.append(numbers.next() % 2 == 0 ? #""], "active": true}"# : #""], "active": false}"#)
        case .xml:
            buffer.append(#"<item number=""#)
            buffer.append(number)
            buffer.append(#""><kind>"#)
            word()
            buffer.append("</kind></item>")
        case .pairs:
            buffer.append(#""number"=>""#)
            buffer.append(number)
            buffer.append(#"", "kind"=>""#)
            word()
            buffer.append(UInt8(ascii: "\""))
        case .lexemes:
            for place in 0..<(4 + numbers.next(below: 8)) {
                if place > 0 { buffer.append(UInt8(ascii: " ")) }
                word()
            }
        case .point: coordinates()
        case .circle:
            buffer.append(UInt8(ascii: "<"))
            coordinates()
            buffer.append(UInt8(ascii: ","))
            buffer.append(1 + numbers.next(below: 100))
            buffer.append(UInt8(ascii: ">"))
        case .rectangle:
            coordinates()
            buffer.append(UInt8(ascii: ","))
            coordinates()
        }
    }
}
