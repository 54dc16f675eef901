extension StringProtocol {
    /// Whether the text begins with these bytes.
    ///
    /// To Swift a space and the accent after it are one character, which is no space; to the server they are two.
    package func begins(with prefix: String) -> Bool { utf8.starts(with: prefix.utf8) }

    /// What follows these bytes; nil when the text does not begin with them.
    package func rest(after prefix: String) -> String? {
        begins(with: prefix) ? String(decoding: utf8.dropFirst(prefix.utf8.count), as: UTF8.self) : nil
    }

    /// Whether the text has these bytes somewhere.
    package func holds(_ part: String) -> Bool { Array(utf8).firstRange(of: Array(part.utf8)) != nil }
}
