/// A value that can be sent as a parameter of a statement, in PostgreSQL's text form.
public protocol ParameterValue: Sendable {
    /// The value as the server's input function reads it; nil is NULL.
    var parameterText: String? { get }
}

/// A value that can be read from a column of a result, in PostgreSQL's text form.
public protocol ColumnValue {
    /// Reads the text that the server's output function wrote; nil when it is not of this type.
    init?(columnText: String)
}

extension String: ParameterValue, ColumnValue {
    /// The string itself.
    public var parameterText: String? { self }
    /// The text itself.
    public init?(columnText: String) { self = columnText }
}

extension Bool: ParameterValue, ColumnValue {
    /// `t` or `f`.
    public var parameterText: String? { self ? "t" : "f" }
    /// Reads `t` or `f`.
    public init?(columnText: String) {
        guard columnText == "t" || columnText == "f" else { return nil }
        self = columnText == "t"
    }
}

extension FixedWidthInteger where Self: Sendable {
    /// Decimal digits.
    public var parameterText: String? { String(self) }
    /// Reads decimal digits.
    public init?(columnText: String) { self.init(columnText) }
}

extension Int: ParameterValue, ColumnValue {}
extension Int16: ParameterValue, ColumnValue {}
extension Int32: ParameterValue, ColumnValue {}
extension Int64: ParameterValue, ColumnValue {}
extension UInt32: ParameterValue, ColumnValue {}
extension UInt64: ParameterValue, ColumnValue {}

extension Double: ParameterValue, ColumnValue {
    /// The shortest text that reads back as the same number.
    public var parameterText: String? { description }
    /// Reads a number, `NaN` and `Infinity` too.
    public init?(columnText: String) { self.init(columnText) }
}

extension LSN: ParameterValue, ColumnValue {
    /// As servers print it.
    public var parameterText: String? { description }
    /// As servers print it.
    public init?(columnText: String) { self.init(columnText) }
}

extension Identifier: ParameterValue, ColumnValue {
    /// The bare name: a parameter is never parsed as SQL.
    public var parameterText: String? { name }
    /// The bare name.
    public init?(columnText: String) { self.init(columnText) }
}

extension Optional: ParameterValue where Wrapped: ParameterValue {
    /// The value, or NULL.
    public var parameterText: String? { self?.parameterText }
}

extension Array: ParameterValue where Element: ParameterValue {
    /// An array literal, every element quoted.
    public var parameterText: String? {
        let elements = map { element -> String in
            guard let text = element.parameterText else { return "NULL" }
            return "\"" + text.prefixing(["\\", "\""], with: "\\") + "\""
        }
        return "{" + elements.joined(separator: ",") + "}"
    }
}

extension Array: ColumnValue where Element: ColumnValue {
    /// Reads a one-dimensional array without NULL elements.
    public init?(columnText: String) {
        guard let texts = ArrayText.elements(of: columnText) else { return nil }
        self = []
        for text in texts {
            guard let text, let element = Element(columnText: text) else { return nil }
            append(element)
        }
    }
}

/// The text form of a one-dimensional array (manual, "Array Input and Output Syntax").
enum ArrayText {
    /// The elements, nil for a NULL; nil for all when the text is no array of one dimension whose bounds start at 1.
    static func elements(of text: String) -> [String?]? {
        // Scalars, not characters: an element may begin with a combining mark.
        let scalars = text.unicodeScalars
        guard scalars.count >= 2, scalars.first == "{", scalars.last == "}" else { return nil }
        let inner = scalars.dropFirst().dropLast()
        if inner.isEmpty { return [] }
        var elements: [String?] = []
        var current = String.UnicodeScalarView()
        var (quoted, inQuotes, escaped) = (false, false, false)
        func flush() {
            let element = String(current)
            elements.append(!quoted && element == "NULL" ? nil : element)
            current = String.UnicodeScalarView()
            quoted = false
        }
        for scalar in inner {
            switch scalar {
            case _ where escaped:
                current.append(scalar)
                escaped = false
            case "\\":
                escaped = true
            case "\"":
                inQuotes.toggle()
                quoted = true
            case "," where !inQuotes:
                flush()
            case "{" where !inQuotes, "}" where !inQuotes:
                return nil
            default:
                current.append(scalar)
            }
        }
        guard !inQuotes, !escaped else { return nil }
        flush()
        return elements
    }
}
