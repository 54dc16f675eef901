/// Texts that are made of parts, each of which is chosen by a digit of the text's number.
///
///     "{first}.{last}{+}@{host}"    number 4711 → "elena.moore@example.org"
///
/// `{+}` is what is left of the number when every part has its digit: nothing at first, then 1, 2 and so on. Where a
/// pattern has none it stands at the end, after a space. So the first texts are plain, and no two are the same.
struct TextPattern: ValueSet {
    /// A part of a text.
    enum Part: Sendable {
        case literal([UInt8])
        /// One of several texts.
        case choice([[UInt8]])
        /// A number of so many digits, the first of which is not 0.
        case digits(Int)
        /// What is left of the number, after a separator; nothing when that is 0.
        case rest(after: [UInt8])
    }

    private let parts: [Part]
    /// How many texts there are without a rest.
    let usual: UInt64
    let count: UInt64
    let isPlain: Bool
    let isDistinct: Bool

    /// A pattern of parts; one that is `isWhole` has nothing but them.
    init(_ parts: [Part], isWhole: Bool = false) {
        let hasRest = parts.contains { if case .rest = $0 { true } else { false } }
        self.parts = hasRest || isWhole ? parts : parts + [.rest(after: [UInt8(ascii: " ")])]
        var usual: UInt64 = 1
        for part in parts {
            let (product, isOver) = usual.multipliedReportingOverflow(by: part.count)
            // Beyond that nobody can tell.
            guard !isOver, product < 1 << 48 else { break }
            usual = product
        }
        self.usual = usual
        count = isWhole ? usual : usual << 14
        isPlain = parts.allSatisfy(\.isPlain)
        // Of texts without anything between them nobody knows where one ends, unless all of a choice have one length.
        isDistinct = !isWhole || parts.allSatisfy { $0.longest == $0.shortest }
    }

    /// How many characters the longest of them has.
    var longest: Int { parts.reduce(0) { $0 + $1.longest } }

    /// How many characters the shortest of them has.
    var shortest: Int { parts.reduce(0) { $0 + $1.shortest } }

    func append(_ number: UInt64, to buffer: inout RowBuffer) {
        var number = number
        let rest = number / usual
        number %= usual
        for part in parts {
            switch part {
            case .literal(let text): buffer.append(text)
            case .choice(let texts):
                buffer.append(texts[Int(number % UInt64(texts.count))])
                number /= UInt64(texts.count)
            case .digits(let digits):
                let first = DecimalNumbers.power(of: 10, digits - 1)
                buffer.append(first + number % (9 * first))
                number /= 9 * first
            case .rest(let separator):
                guard rest > 0 else { continue }
                buffer.append(separator)
                buffer.append(rest)
            }
        }
    }
}

extension TextPattern.Part {
    fileprivate var count: UInt64 {
        switch self {
        case .literal, .rest: 1
        case .choice(let texts): UInt64(texts.count)
        case .digits(let digits): 9 * DecimalNumbers.power(of: 10, digits - 1)
        }
    }

    fileprivate var longest: Int {
        switch self {
        case .literal(let text): text.count
        case .choice(let texts): texts.map(\.count).max() ?? 0
        case .digits(let digits): digits
        // There are 2^14 of them.
        case .rest(let separator): separator.count + 5
        }
    }

    fileprivate var shortest: Int {
        switch self {
        case .literal(let text): text.count
        case .choice(let texts): texts.map(\.count).min() ?? 0
        case .digits(let digits): digits
        case .rest: 0
        }
    }

    fileprivate var isPlain: Bool {
        // A comma is special in CSV alone, but whoever asks does not say which.
        func plain(_ text: [UInt8]) -> Bool { text.allSatisfy { $0 >= 32 && !#""\,"#.utf8.contains($0) } }
        return switch self {
        case .literal(let text): plain(text)
        case .choice(let texts): texts.allSatisfy(plain)
        case .digits, .rest: true
        }
    }
}

/// Codes of one length: letters, and digits where letters would not do.
struct Codes: ValueSet {
    let length: Int
    private static let letters = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZ".utf8)
    private static let signs = letters + Array("0123456789".utf8)

    private var alphabet: [UInt8] { length <= 3 ? Self.letters : Self.signs }

    var count: UInt64 {
        // 36 to the power of 12 is what 64 bits hold.
        length > 12 ? .max : DecimalNumbers.power(of: UInt64(alphabet.count), length)
    }

    func append(_ number: UInt64, to buffer: inout RowBuffer) {
        let alphabet = alphabet
        var rest = number
        for _ in 0..<length {
            buffer.append(alphabet[Int(rest % UInt64(alphabet.count))])
            rest /= UInt64(alphabet.count)
        }
    }
}

/// Sentences, none of which needs to differ from another.
struct Sentences: ValueSet {
    /// How many characters at most.
    let longest: Int
    var count: UInt64 { .max }
    var isDistinct: Bool { false }

    func append(_ number: UInt64, to buffer: inout RowBuffer) {
        var numbers = SeededNumbers(seed: number)
        let start = buffer.count
        for sentence in 0..<(1 + numbers.next(below: 4)) {
            if sentence > 0 { buffer.append(UInt8(ascii: " ")) }
            for place in 0..<(5 + numbers.next(below: 9)) {
                let word = Words.plain[Int(numbers.next(below: UInt64(Words.plain.count)))]
                if place > 0 { buffer.append(UInt8(ascii: " ")) }
                buffer.append(place == 0 ? word[0] & ~32 : word[0])
                buffer.append(word[1...])
            }
            buffer.append(UInt8(ascii: "."))
        }
        if buffer.count - start > longest { buffer.cut(to: start + longest) }
    }
}

/// The first characters of other texts, which may make them the same.
struct Shortened: ValueSet {
    let texts: any ValueSet
    let longest: Int
    var count: UInt64 { texts.count }
    var usual: UInt64 { texts.usual }
    var isDistinct: Bool { false }
    var isPlain: Bool { texts.isPlain }

    func append(_ number: UInt64, to buffer: inout RowBuffer) {
        let start = buffer.count
        texts.append(number, to: &buffer)
        // All of it is ASCII, so bytes are characters.
        if buffer.count - start > longest { buffer.cut(to: start + longest) }
    }
}
