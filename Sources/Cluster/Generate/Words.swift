/// Words of which plausible texts are made; all of ASCII letters, none twice in a list, whatever their case.
enum Words {
    static let plain = list(
        """
        able account action active address amber ancient answer apple april arrow autumn balance basket battery beach \
        bench better birch blanket blue border bottle branch bread bridge bright broad brother bucket button cabin \
        camera candle canvas carbon careful castle cedar center chair change cheese cherry circle city clean clear \
        climate clock cloud coast coffee copper corner cotton country cover cream cross crystal curve daily dark \
        design desk distant double dream early earth east echo edge eight elder electric engine evening fabric \
        family field final fire first flag floor flower forest fresh friend front fruit garden gentle giant glass \
        gold grain grand grass gravel great green guide half hammer harbor harvest heavy hidden high hill home honest \
        honey horizon house hundred ice idea inner iron island ivory journey kind kitchen ladder lake lamp large late \
        leaf leather lemon letter level light linen little local long loose lower maple marble market meadow metal \
        middle mild mirror modern moment morning mountain narrow native near needle new nickel night noble north \
        number oak ocean olive open orange orchard order outer oval paper park pearl pencil pepper pine plain planet \
        plum pocket point polar pond power prime proper public pure quarter quick quiet rain rapid raw ready red \
        reed rich ridge right ring river road rock roof root rose round royal rural safe salt sand scarlet school sea \
        season second seed shade sharp shell short silent silk silver simple single sky slate slow small smart smooth \
        snow soft solar solid south spare spring square stable star steady steel still stone storm straight stream \
        strong sugar summer sunny swift table tall tender thick thin third tide timber tower town trade trail travel \
        tree true tulip twin under upper urban valley velvet violet vivid walnut warm water wave west wheat white \
        whole wide wild willow wind window winter wise wonder wood wool yard year yellow young zinc
        """
    )

    static let firstNames = list(
        """
        Ada Adele Alan Alba Alice Amara Ana Anders Andrea Anita Anna Anton Arjun Astrid Barbara Beatriz Ben Bianca \
        Bruno Camila Carla Carlos Carmen Cecilia Chen Clara Daniel Daria David Diego Dina Edgar Elena Elias Elif Emil \
        Emma Erik Esther Eva Fatima Felix Fernanda Filip Frida Gabriel George Grace Greta Gustavo Hana Hanna Hassan \
        Helena Hugo Ida Ines Ingrid Irene Isaac Isabel Ivan Jakob Jan Jane Joana Johan John Jonas Jorge Juan Julia \
        Kaori Karim Karin Katja Kenji Kira Lara Laura Lea Leila Leon Lin Linda Lucas Lucia Luis Magda Maja Marco \
        Margaret Maria Marta Martin Mateo Maya Mei Mia Mikael Mina Mohamed Mona Nadia Nana Nina Noah Nora Olga Oliver \
        Omar Oscar Otto Pablo Paul Paula Pedro Petra Pia Priya Rafael Rania Rosa Ruth Samir Sara Simon Sofia Stella \
        Sven Tamara Tara Teresa Thomas Tom Uma Ursula Valentina Vera Victor Wanda Wei Yara Yuki Yusuf Zoe
        """
    )

    static let lastNames = list(
        """
        Abe Adams Aguilar Ali Almeida Andersson Bakker Barbosa Bauer Becker Berg Bianchi Borges Braun Campos Cardoso \
        Castro Chandra Chavez Clark Cohen Conti Correia Costa Cruz Dahl Dias Dubois Engel Evans Farias \
        Fernandes Ferrari Ferreira Fischer Flores Fontana Fuchs Garcia Gomes Gonzalez Green Gupta Haas Hall Hansen \
        Hassan Hernandez Hoffmann Holm Hughes Ibrahim Ito Ivanova Jackson Jansen Jensen Johansson Jones Kaya Keller \
        Khan Kim Klein Kovacs Kowalski Kumar Lang Larsen Lee Lehmann Lewis Lima Lopez Lund Machado Martins Mendes Meyer \
        Miller Moore Morales Moreau Moreira Moretti Mori Mueller Nakamura Nguyen Nielsen Nilsson Novak Nunes Oliveira \
        Olsen Ortiz Park Patel Pereira Perez Petrov Pinto Popov Ramos Rao Reis Ribeiro Ricci Rivera Roberts Rocha \
        Rodrigues Romero Rossi Roux Sanchez Santos Sato Schmidt Scott Silva Singh Smith Soares Sousa Suzuki Tanaka \
        Taylor Teixeira Thomas Torres Turner Vargas Vieira Virtanen Wagner Walker Wang Weber White Wood Wright Yamada \
        Young Zhang
        """
    )

    static let cities = list(
        """
        Accra Amsterdam Athens Bangkok Barcelona Belgrade Bergen Berlin Bogota Boston Bremen Brisbane Bristol Brussels \
        Bucharest Budapest Cairo Chennai Chicago Copenhagen Cork Curitiba Dakar Denver Dublin Durban Edinburgh Florence \
        Fortaleza Geneva Genoa Ghent Glasgow Gothenburg Graz Hamburg Hanoi Helsinki Istanbul Jakarta Kyoto Lagos Leeds \
        Leipzig Lima Lisbon Liverpool Ljubljana London Lyon Madrid Malaga Manila Marseille Medellin Melbourne Milan \
        Montevideo Montreal Mumbai Munich Nairobi Nantes Naples Osaka Oslo Ottawa Palermo Paris Perth Porto Prague \
        Pune Quito Recife Riga Rome Rotterdam Salvador Santiago Sapporo Seattle Seoul Seville Sofia Stockholm Sydney \
        Taipei Tallinn Tampere Tirana Tokyo Toronto Toulouse Trieste Tunis Turin Utrecht Valencia Vienna Vilnius \
        Warsaw Wellington Zagreb Zurich
        """
    )

    static let countries = list(
        """
        Albania Argentina Australia Austria Belgium Bolivia Brazil Bulgaria Canada Chile Colombia Croatia Cuba Cyprus \
        Denmark Ecuador Egypt Estonia Ethiopia Finland France Germany Ghana Greece Hungary Iceland India Indonesia \
        Ireland Israel Italy Japan Jordan Kenya Latvia Lithuania Malaysia Malta Mexico Morocco Nepal Netherlands \
        Nigeria Norway Pakistan Panama Paraguay Peru Philippines Poland Portugal Romania Senegal Serbia Singapore \
        Slovakia Slovenia Spain Sweden Switzerland Tanzania Thailand Tunisia Turkey Uganda Ukraine Uruguay Vietnam
        """
    )

    static let countryCodes = list(
        """
        AR AT AU BE BG BO BR CA CH CL CO CU CY CZ DE DK EC EE EG ES ET FI FR GB GH GR HR HU ID IE IL IN IS IT JO JP KE \
        LT LV MA MT MX MY NG NL NO NP PA PE PH PK PL PT PY RO RS SE SG SI SK SN TH TN TR TZ UA UG US UY VN
        """
    )

    static let currencies = list("EUR USD BRL GBP JPY CHF CAD AUD SEK NOK DKK PLN CZK HUF INR MXN ZAR KRW NZD SGD")
    static let languages = list("en pt es fr de it nl pl sv da fi nb cs hu ro tr el ja ko zh hi ar")
    static let colors = list(
        "red green blue yellow orange purple black white gray brown pink cyan magenta teal navy olive"
    )
    static let states = list("new active pending paid shipped delivered closed canceled")
    static let zones = list(
        "UTC Europe/Berlin Europe/Lisbon America/Sao_Paulo America/New_York Asia/Tokyo Asia/Kolkata"
    )
    static let mediaTypes = list("text/plain text/csv text/html image/png image/jpeg application/json application/pdf")
    static let companyEnds = list("Ltd Inc GmbH SA AB BV Group Works Labs Partners Trading Systems")
    static let streetEnds = list("Street Avenue Road Lane Way Square Drive Court")
    /// Names under which nobody gets mail (RFC 2606).
    static let mailHosts = list("example.com example.org example.net")

    private static func list(_ text: String) -> [[UInt8]] { text.split(separator: " ").map { Array($0.utf8) } }
}
