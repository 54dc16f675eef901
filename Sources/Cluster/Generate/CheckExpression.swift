import Postgres

/// The condition of a CHECK as the server prints it (`pg_get_expr`), read as far as values can be chosen by it.
///
/// The server puts every operator with its operands into parentheses, so a tree of parentheses is enough of a parser. What is
/// not understood is left to the server, which is asked about the rows that are to come (see ``CheckedRows``).
struct CheckExpression {
    /// What a condition wants of one column.
    enum Wish: Sendable, Hashable {
        case atLeast(String, isOpen: Bool)
        case atMost(String, isOpen: Bool)
        case oneOf([String])
        case lengthAtLeast(Int)
        case lengthAtMost(Int)
        case matches(String)
    }

    /// A wish with the column it is about; the value of a domain has the name `VALUE`.
    struct Condition: Sendable, Hashable {
        let column: String
        let wish: Wish
    }

    /// What must hold all at once, as far as it was understood.
    let conditions: [Condition]

    /// Whether nothing else must hold.
    let isUnderstood: Bool

    init(_ text: String) {
        let parts = Self.parts(of: Node.tree(Token.tokens(of: text)))
        conditions = parts.compactMap(\.self)
        isUnderstood = conditions.count == parts.count
    }

    /// A domain's condition as one of a column: with its name for `VALUE`.
    static func text(_ text: String, ofDomainOf column: String) -> String {
        var (written, word) = (String.UnicodeScalarView(), String.UnicodeScalarView())
        var quote: Unicode.Scalar?
        func endWord() {
            written.append(contentsOf: String(word) == "VALUE" ? Identifier(column).quoted.unicodeScalars : word)
            word = String.UnicodeScalarView()
        }
        for scalar in text.unicodeScalars {
            if quote == nil, scalar == "_" || scalar.properties.isAlphabetic || scalar.properties.numericType != nil {
                word.append(scalar)
                continue
            }
            endWord()
            if scalar == "'" || scalar == "\"" { quote = quote == nil ? scalar : quote == scalar ? nil : quote }
            written.append(scalar)
        }
        endWord()
        return String(written)
    }

    // MARK: Reading

    /// What stands between ANDs; nil for a part that is not understood.
    private static func parts(of nodes: [Node]) -> [Condition?] {
        if nodes.count == 1, let inner = nodes[0].children { return parts(of: inner) }
        let branches = nodes.split { $0.isWord("AND") }
        if branches.count > 1 { return branches.flatMap { parts(of: Array($0)) } }
        return [alternatives(nodes) ?? comparison(nodes)]
    }

    /// `a = 'x' OR a = 'y'`, or `a = ANY (ARRAY['x', 'y'])`.
    private static func alternatives(_ nodes: [Node]) -> Condition? {
        if nodes.count >= 4, let column = nodes[0].column, nodes[1].isSymbol("="), nodes[2].isWord("ANY"),
            let texts = arrayTexts(Array(nodes[3...]))
        {
            return Condition(column: column, wish: .oneOf(texts))
        }
        let branches = nodes.split { $0.isWord("OR") }
        guard branches.count > 1 else { return nil }
        let found = branches.flatMap { parts(of: Array($0)) }
        guard found.count == branches.count, let column = found.first??.column else { return nil }
        var texts: [String] = []
        for condition in found {
            guard let condition, condition.column == column, case .oneOf(let list) = condition.wish else { return nil }
            texts += list
        }
        return Condition(column: column, wish: .oneOf(texts))
    }

    private static func comparison(_ nodes: [Node]) -> Condition? {
        guard let place = nodes.firstIndex(where: \.isOperator), place > 0, place + 1 < nodes.count,
            case .leaf(.symbol(let sign)) = nodes[place]
        else { return nil }
        let (left, right) = (Array(nodes[..<place]), Array(nodes[(place + 1)...]))
        if let column = column(left), let value = value(right) { return condition(column, sign, value) }
        if let column = column(right), let value = value(left), let turned = turned[sign] {
            return condition(column, turned, value)
        }
        if let column = lengthArgument(left), let text = value(right), let number = Int(text) {
            return length(column, sign, number)
        }
        return nil
    }

    private static let turned = [">": "<", ">=": "<=", "<": ">", "<=": ">=", "=": "="]

    private static func condition(_ column: String, _ sign: String, _ value: String) -> Condition? {
        let wish: Wish? =
            switch sign {
            case ">=": .atLeast(value, isOpen: false)
            case ">": .atLeast(value, isOpen: true)
            case "<=": .atMost(value, isOpen: false)
            case "<": .atMost(value, isOpen: true)
            case "=": .oneOf([value])
            case "~", "~*": .matches(value)
            case "<>" where value.isEmpty: .lengthAtLeast(1)
            default: nil
            }
        return wish.map { Condition(column: column, wish: $0) }
    }

    private static func length(_ column: String, _ sign: String, _ number: Int) -> Condition? {
        let wish: Wish? =
            switch sign {
            case ">=": .lengthAtLeast(number)
            case ">": .lengthAtLeast(number + 1)
            case "<=": .lengthAtMost(number)
            case "<": .lengthAtMost(number - 1)
            default: nil
            }
        return wish.map { Condition(column: column, wish: $0) }
    }

    /// `length(a)`, `char_length(a)` and the like.
    private static func lengthArgument(_ nodes: [Node]) -> String? {
        guard nodes.count == 2, case .leaf(.word(let name)) = nodes[0], let argument = nodes[1].children,
            ["length", "char_length", "character_length", "octet_length"].contains(name)
        else { return nil }
        return column(argument)
    }

    private static func column(_ nodes: [Node]) -> String? {
        guard nodes.count == 1 else { return nil }
        return nodes[0].column ?? nodes[0].children.flatMap { column($0) }
    }

    private static func value(_ nodes: [Node]) -> String? {
        guard nodes.count == 1 else { return nil }
        return nodes[0].value ?? nodes[0].children.flatMap { value($0) }
    }

    /// The texts of `ARRAY['x', 'y']`, however deep in parentheses.
    private static func arrayTexts(_ nodes: [Node]) -> [String]? {
        if nodes.count == 1, let children = nodes[0].children { return arrayTexts(children) }
        guard nodes.count == 2, nodes[0].isWord("ARRAY"), let elements = nodes[1].children else { return nil }
        let parts = elements.split { $0.isSymbol(",") }
        let texts = parts.compactMap { value(Array($0)) }
        return texts.count == parts.count ? texts : nil
    }
}

// MARK: - The tree

extension CheckExpression {
    /// A part of a condition: a token, or what stands in parentheses.
    fileprivate indirect enum Node {
        case leaf(Token)
        case group([Node])

        var children: [Node]? { if case .group(let nodes) = self { nodes } else { nil } }

        func isWord(_ word: String) -> Bool { if case .leaf(.word(word)) = self { true } else { false } }
        func isSymbol(_ symbol: String) -> Bool { if case .leaf(.symbol(symbol)) = self { true } else { false } }

        var isOperator: Bool {
            if case .leaf(.symbol(let symbol)) = self { symbol != "," } else { false }
        }

        /// A name that stands by itself.
        var column: String? {
            switch self {
            case .leaf(.name(let name)): name
            case .leaf(.word(let word)) where word == "VALUE" || word == word.lowercased(): word
            case .group(let nodes) where nodes.count == 1: nodes[0].column
            default: nil
            }
        }

        var value: String? {
            switch self {
            case .leaf(.text(let text)), .leaf(.number(let text)): text
            case .group(let nodes) where nodes.count == 1: nodes[0].value
            default: nil
            }
        }

        /// Makes the tree; casts are left out.
        static func tree(_ tokens: [Token]) -> [Node] {
            var rest = tokens[...]
            return group(&rest)
        }

        private static func group(_ rest: inout ArraySlice<Token>) -> [Node] {
            var nodes: [Node] = []
            while let token = rest.popFirst() {
                switch token {
                case .symbol("("), .symbol("["): nodes.append(.group(group(&rest)))
                case .symbol(")"), .symbol("]"): return nodes
                case .symbol("::"): skipType(&rest)
                default: nodes.append(.leaf(token))
                }
            }
            return nodes
        }

        /// Takes a type's name: `character varying(20)[]`, `timestamp with time zone`, `"My Type"`.
        private static func skipType(_ rest: inout ArraySlice<Token>) {
            let more: Set<String> = ["varying", "precision", "with", "without", "time", "zone"]
            var isFirst = true
            while let token = rest.first {
                switch token {
                case .word(let word) where isFirst || more.contains(word): rest.removeFirst()
                case .name where isFirst: rest.removeFirst()
                case .symbol("."):
                    rest.removeFirst(min(2, rest.count))
                case .symbol("("), .symbol("["):
                    rest.removeFirst()
                    while let inner = rest.popFirst(), inner != .symbol(")"), inner != .symbol("]") {}
                default: return
                }
                isFirst = false
            }
        }
    }

    /// A word of an expression.
    enum Token: Sendable, Hashable {
        /// A keyword, a function, or a name that needs no quotes.
        case word(String)
        /// A name in double quotes, without them.
        case name(String)
        case number(String)
        /// A string, without its quotes.
        case text(String)
        /// An operator, a bracket, a comma.
        case symbol(String)

        /// Cuts an expression into its words.
        static func tokens(of text: String) -> [Token] {
            var tokens: [Token] = []
            var rest = text.unicodeScalars[...]
            while let scalar = rest.first {
                switch scalar {
                case _ where scalar.properties.isWhitespace: rest.removeFirst()
                case "'": tokens.append(.text(quoted(&rest, by: "'")))
                case "E" where rest.dropFirst().first == "'":
                    rest.removeFirst()
                    tokens.append(.text(quoted(&rest, by: "'").replacing(#"\\"#, with: #"\"#)))
                case "\"": tokens.append(.name(quoted(&rest, by: "\"")))
                case "0"..."9": tokens.append(.number(run(&rest) { isDigit($0) || $0 == "." }))
                case _ where isLetter(scalar):
                    tokens.append(.word(run(&rest) { isLetter($0) || isDigit($0) || $0 == "$" }))
                default: tokens.append(symbol(&rest))
                }
            }
            return negated(tokens)
        }

        private static func isDigit(_ scalar: Unicode.Scalar) -> Bool { ("0"..."9").contains(scalar) }
        private static func isLetter(_ scalar: Unicode.Scalar) -> Bool {
            scalar == "_" || scalar.properties.isAlphabetic
        }

        private static func run(
            _ rest: inout Substring.UnicodeScalarView,
            while isPart: (Unicode.Scalar) -> Bool
        ) -> String {
            let part = rest.prefix(while: isPart)
            rest = rest.dropFirst(part.count)
            return String(part)
        }

        /// What stands between two quotes, of which a doubled one stands for itself.
        private static func quoted(_ rest: inout Substring.UnicodeScalarView, by quote: Unicode.Scalar) -> String {
            var text = String.UnicodeScalarView()
            rest.removeFirst()
            while let scalar = rest.popFirst() {
                if scalar == quote {
                    guard rest.first == quote else { break }
                    rest.removeFirst()
                }
                text.append(scalar)
            }
            return String(text)
        }

        private static func symbol(_ rest: inout Substring.UnicodeScalarView) -> Token {
            let single: Set<Unicode.Scalar> = ["(", ")", "[", "]", ",", ".", ";"]
            if let first = rest.first, single.contains(first) {
                rest.removeFirst()
                return .symbol(String(first))
            }
            if rest.starts(with: "::".unicodeScalars) {
                rest.removeFirst(2)
                return .symbol("::")
            }
            let signs = Set("+-*/<>=~!@#%^&|`?:".unicodeScalars)
            let text = run(&rest) { signs.contains($0) }
            // A sign of nothing that is known must not be looked at for ever.
            if text.isEmpty { return .symbol(String(rest.removeFirst())) }
            return .symbol(text)
        }

        /// Puts a minus that belongs to a number to it.
        private static func negated(_ tokens: [Token]) -> [Token] {
            var joined: [Token] = []
            for token in tokens {
                if case .number(let digits) = token, joined.last == .symbol("-"),
                    joined.dropLast().last.map(\.endsOperand) != true
                {
                    joined[joined.count - 1] = .number("-" + digits)
                } else {
                    joined.append(token)
                }
            }
            return joined
        }

        private var endsOperand: Bool {
            switch self {
            case .word, .name, .number, .text: true
            case .symbol(let symbol): symbol == ")" || symbol == "]"
            }
        }
    }
}
