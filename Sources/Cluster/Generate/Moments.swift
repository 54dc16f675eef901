/// Days as dates.
struct Dates: ValueSet {
    /// The first one, in days since 1970-01-01.
    let first: Int
    let count: UInt64

    func append(_ number: UInt64, to buffer: inout RowBuffer) { Self.append(first + Int(number), to: &buffer) }

    /// Adds `YYYY-MM-DD` (Hinnant: chrono-Compatible Low-Level Date Algorithms, `civil_from_days`).
    static func append(_ day: Int, to buffer: inout RowBuffer) {
        // Years begin in March here, and eras of 400 years in the year 0.
        let shifted = day + 719_468
        let era = (shifted >= 0 ? shifted : shifted - 146_096) / 146_097
        let dayOfEra = shifted - era * 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let month = (5 * dayOfYear + 2) / 153
        let year = yearOfEra + era * 400 + (month >= 10 ? 1 : 0)
        buffer.append(UInt64(max(1, year)), digits: 4)
        buffer.append(UInt8(ascii: "-"))
        buffer.append(UInt64(month < 10 ? month + 3 : month - 9), digits: 2)
        buffer.append(UInt8(ascii: "-"))
        buffer.append(UInt64(dayOfYear - (153 * month + 2) / 5 + 1), digits: 2)
    }

    /// The day of a date, in days since 1970-01-01; nil when the text does not begin with `YYYY-MM-DD`.
    static func day(of text: String) -> Int? {
        guard let match = text.prefixMatch(of: /(\d{4})-(\d\d)-(\d\d)/), let year = Int(match.1),
            let month = Int(match.2), let day = Int(match.3), (1...12).contains(month), (1...31).contains(day)
        else { return nil }
        let shifted = month > 2 ? year : year - 1
        let (era, yearOfEra) = (shifted / 400, shifted % 400)
        let dayOfYear = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1
        return era * 146_097 + yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear - 719_468
    }
}

/// Moments on a grid of milliseconds, with or without a time zone, which is UTC.
struct Moments: ValueSet {
    /// The first one, in milliseconds since 1970-01-01 00:00.
    let first: Int
    let count: UInt64
    let hasZone: Bool
    /// How many of a second's decimal places are written.
    var places = 3

    var isDistinct: Bool { places == 3 }

    func append(_ number: UInt64, to buffer: inout RowBuffer) {
        let moment = first + Int(number)
        let day = moment >= 0 ? moment / 86_400_000 : (moment - 86_399_999) / 86_400_000
        Dates.append(day, to: &buffer)
        buffer.append(UInt8(ascii: " "))
        TimesOfDay.append(UInt64(moment - day * 86_400_000), places: places, to: &buffer)
        if hasZone { buffer.append("+00") }
    }

    /// The moment of `YYYY-MM-DD HH:MM:SS`, in milliseconds since 1970, as in UTC; without a time midnight.
    static func moment(of text: String) -> Int? {
        guard let day = Dates.day(of: text) else { return nil }
        guard let time = text.firstMatch(of: /[ T](\d\d):(\d\d)(?::(\d\d))?/) else { return day * 86_400_000 }
        let parts = [time.1, time.2, time.3 ?? "0"].map { Int($0) ?? 0 }
        return day * 86_400_000 + ((parts[0] * 60 + parts[1]) * 60 + parts[2]) * 1000
    }
}

/// Times of a day on a grid of milliseconds.
struct TimesOfDay: ValueSet {
    let hasZone: Bool
    /// How many of a second's decimal places are written, three at most.
    var places = 3

    private var step: UInt64 { DecimalNumbers.power(of: 10, 3 - places) }
    var count: UInt64 { 86_400_000 / step }

    func append(_ number: UInt64, to buffer: inout RowBuffer) {
        Self.append(number * step, places: places, to: &buffer)
        if hasZone { buffer.append("+00") }
    }

    /// Adds `HH:MM:SS.mmm`, with as many decimal places as are wanted, three at most.
    static func append(_ milliseconds: UInt64, places: Int, to buffer: inout RowBuffer) {
        let seconds = milliseconds / 1000
        buffer.append(seconds / 3600, digits: 2)
        buffer.append(UInt8(ascii: ":"))
        buffer.append(seconds / 60 % 60, digits: 2)
        buffer.append(UInt8(ascii: ":"))
        buffer.append(seconds % 60, digits: 2)
        guard places > 0 else { return }
        buffer.append(UInt8(ascii: "."))
        let kept = min(3, places)
        buffer.append(milliseconds % 1000 / DecimalNumbers.power(of: 10, 3 - kept), digits: kept)
    }
}

/// Spans of time from a second to a year.
struct Spans: ValueSet {
    var count: UInt64 { 366 * 86_400 }

    func append(_ number: UInt64, to buffer: inout RowBuffer) {
        let seconds = number + 1
        buffer.append(seconds / 86_400)
        buffer.append(" days ")
        TimesOfDay.append(seconds % 86_400 * 1000, places: 0, to: &buffer)
    }
}
