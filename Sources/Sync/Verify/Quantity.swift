/// Numbers as people read them.
public enum Quantity {
    /// A number with its thousands apart: 1,234,567.
    public static func grouped(_ number: Int) -> String {
        var text = String(number.magnitude)
        var at = text.count - 3
        while at > 0 {
            text.insert(",", at: text.index(text.startIndex, offsetBy: at))
            at -= 3
        }
        return number < 0 ? "-" + text : text
    }

    /// A number with its noun: 1 table, 1,200 tables.
    public static func of(_ number: Int, _ noun: String, _ many: String? = nil) -> String {
        "\(grouped(number)) \(number == 1 ? noun : many ?? noun + "s")"
    }
}
