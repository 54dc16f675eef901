import Foundation
import Postgres

/// The records of a CSV file (RFC 4180), one after the other, as they stand in it.
///
/// A record is the bytes of a line, or of several where a line end stands between quotes. Only as much of the file is in
/// memory as the longest record takes, which is refused beyond 64 MiB.
struct CSVRecords {
    /// One record.
    struct Record: Sendable {
        /// The number of its first line, counted from 1.
        let line: Int
        /// Its bytes, without the line end.
        let bytes: [UInt8]
    }

    private static let limit = 64 << 20

    private let path: String
    private let file: FileHandle
    private let quote: UInt8
    private var buffer: [UInt8] = []
    private var start = 0
    private var isAtEnd = false
    private var line = 1
    /// How many bytes of the file have been read.
    private(set) var bytesRead = 0

    /// Opens a file; `-` is the standard input.
    ///
    /// - Throws: when it cannot be read.
    init(path: String, quote: UInt8 = UInt8(ascii: "\"")) throws(PostgresError) {
        self.path = path
        self.quote = quote
        if path == "-" {
            file = .standardInput
            return
        }
        var isFolder: ObjCBool = false
        guard FileManager.default.fileExists(atPath: path, isDirectory: &isFolder) else {
            throw PostgresError("there is no file \"\(path)\"")
        }
        guard !isFolder.boolValue, let file = FileHandle(forReadingAtPath: path) else {
            throw PostgresError(
                "could not read the file \"\(path)\"",
                detail: isFolder.boolValue ? "It is a folder." : "The system said: \(String(cString: strerror(errno)))."
            )
        }
        self.file = file
    }

    /// Whether an empty line is a record.
    var keepsEmptyLines = false

    /// The next record; nil at the end.
    mutating func next() throws(PostgresError) -> Record? {
        while true {
            guard let (end, lines) = try endOfRecord() else { return nil }
            let first = line
            line += lines
            var bytes = buffer[start..<end]
            start = min(buffer.count, end + 1)
            if bytes.last == UInt8(ascii: "\r") { bytes.removeLast() }
            // A byte order mark is none of the first name.
            if first == 1, bytes.starts(with: [0xEF, 0xBB, 0xBF]) { bytes.removeFirst(3) }
            if !bytes.isEmpty || keepsEmptyLines { return Record(line: first, bytes: Array(bytes)) }
        }
    }

    /// Where the record that begins at `start` ends, and how many lines it has; nil when nothing is left.
    private mutating func endOfRecord() throws(PostgresError) -> (end: Int, lines: Int)? {
        var (place, isQuoted, lines) = (start, false, 1)
        while true {
            while place < buffer.count {
                let byte = buffer[place]
                if byte == quote {
                    isQuoted.toggle()
                } else if byte == UInt8(ascii: "\n") {
                    if !isQuoted { return (place, lines) }
                    lines += 1
                }
                place += 1
            }
            let seen = place - start
            guard seen < Self.limit, !(isAtEnd && isQuoted) else {
                throw PostgresError(
                    "could not read the record at line \(line) of file \"\(path)\"",
                    detail: isAtEnd ? "A quotation that begins in it does not end." : "It is longer than 64 MiB.",
                    hint: "A quote within quotes is written twice; --quote names another sign."
                )
            }
            if isAtEnd { return seen == 0 ? nil : (place, lines) }
            try read()
            place = start + seen
        }
    }

    private mutating func read() throws(PostgresError) {
        buffer.removeFirst(start)
        start = 0
        let part: Data?
        do {
            part = try file.read(upToCount: 1 << 20)
        } catch {
            throw PostgresError("could not read the file \"\(path)\"", detail: error.localizedDescription)
        }
        guard let part, !part.isEmpty else { return isAtEnd = true }
        bytesRead += part.count
        buffer.append(contentsOf: part)
    }
}

extension CSVRecords.Record {
    /// The bytes of each field, with its quotes.
    func fields(delimiter: UInt8, quote: UInt8) -> [ArraySlice<UInt8>] {
        var (fields, start, isQuoted): ([ArraySlice<UInt8>], Int, Bool) = ([], 0, false)
        for (place, byte) in bytes.enumerated() {
            if byte == quote {
                isQuoted.toggle()
            } else if byte == delimiter, !isQuoted {
                fields.append(bytes[start..<place])
                start = place + 1
            }
        }
        return fields + [bytes[start...]]
    }

    /// The text of each field.
    func texts(delimiter: UInt8, quote: UInt8) -> [String] {
        fields(delimiter: delimiter, quote: quote).map { field in
            guard field.count > 1, field.first == quote, field.last == quote else {
                return String(decoding: field, as: UTF8.self)
            }
            let mark = String(UnicodeScalar(quote))
            return String(decoding: field.dropFirst().dropLast(), as: UTF8.self).replacing(mark + mark, with: mark)
        }
    }
}
