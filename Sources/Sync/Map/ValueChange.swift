public import Postgres

/// What becomes of the values of one column on their way: another type, or a mask, or both.
///
/// A value is changed by way of its text, the same in all places: the copy reads ``text(of:)`` on the source, the
/// stream's values become ``value(ofText:)`` on the target, and a comparison asks the source for ``value(of:)``.
public struct ValueChange: Sendable, Hashable {
    /// Hides what a value was.
    public enum Mask: Sendable, Hashable {
        /// SHA-256 of its text in UTF-8, as 64 hexadecimal digits: equal values stay equal.
        case hash
        /// One character in the place of every digit.
        case digits(Character)
    }

    /// The column's type on the source, with its modifiers.
    public var sourceType: SQL
    /// Its type on the target, with its modifiers.
    public var targetType: SQL
    /// The same without modifiers: what is too long for them is refused when it is stored, and not cut off by a cast.
    public var plainTargetType: SQL
    /// How it is masked.
    public var mask: Mask?

    /// Describes a change.
    public init(sourceType: SQL, targetType: SQL, plainTargetType: SQL, mask: Mask?) {
        self.sourceType = sourceType
        self.targetType = targetType
        self.plainTargetType = plainTargetType
        self.mask = mask
    }

    /// The text that arrives, of a value of the source's type.
    public func text(of value: SQL) -> SQL {
        switch mask {
        case nil: "(\(value))::text"
        case .hash: "encode(sha256(convert_to((\(value))::text, 'UTF8')), 'hex')"
        case .digits(let character):
            "translate((\(value))::text, '0123456789', \(literal: String(repeating: character, count: 10)))"
        }
    }

    /// What a comparison expects on the target, of a value of the source's type.
    public func value(of value: SQL) -> SQL { "(\(text(of: value)))::\(targetType)" }

    /// What is stored on the target, of a text as the stream brings it.
    func value(ofText text: SQL) -> SQL {
        "(\(self.text(of: "(\(text))::\(sourceType)")))::\(plainTargetType)"
    }
}
