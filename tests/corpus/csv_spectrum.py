"""The cases of csv-spectrum 2.0.0 by max ogden (npm, BSD-2-Clause, github.com/maxogden/csv-spectrum), as text.

Each is read as its JSON says, but for `location_coordinates`: its JSON has another phone number than its CSV.
"""

from __future__ import annotations

from csv_case import reads

CASES = (
    reads(
        "spectrum: comma_in_quotes",
        'first,last,address,city,zip\nJohn,Doe,120 any st.,"Anytown, WW",08123',
        "first last address city zip",
        [["John", "Doe", "120 any st.", "Anytown, WW", "08123"]],
    ),
    reads("spectrum: empty", 'a,b,c\n1,"",""\n2,3,4', "a b c", [["1", "", ""], ["2", "3", "4"]]),
    reads("spectrum: empty_crlf", 'a,b,c\r\n1,"",""\r\n2,3,4', "a b c", [["1", "", ""], ["2", "3", "4"]]),
    reads("spectrum: escaped_quotes", 'a,b\n1,"ha ""ha"" ha"\n3,4\n', "a b", [["1", 'ha "ha" ha'], ["3", "4"]]),
    reads(
        "spectrum: json",
        'key,val\n1,"{""type"": ""Point"", ""coordinates"": [102.0, 0.5]}"\n',
        "key val",
        [["1", '{"type": "Point", "coordinates": [102.0, 0.5]}']],
    ),
    reads(
        "spectrum: location_coordinates",
        "Contact Phone Number,Location Coordinates,Cities,Counties\n"
        "2095257564,37\ufffd36'37.8\"N 121\ufffd2'17.9\"W,Modesto,Stanislaus",
        ["Contact Phone Number", "Location Coordinates", "Cities", "Counties"],
        [["2095257564", "37\ufffd36'37.8\"N 121\ufffd2'17.9\"W", "Modesto", "Stanislaus"]],
    ),
    reads(
        "spectrum: newlines",
        'a,b,c\n1,2,3\n"Once upon \na time",5,6\n7,8,9\n',
        "a b c",
        [["1", "2", "3"], ["Once upon \na time", "5", "6"], ["7", "8", "9"]],
    ),
    reads(
        "spectrum: newlines_crlf",
        'a,b,c\r\n1,2,3\r\n"Once upon \r\na time",5,6\r\n7,8,9\r\n',
        "a b c",
        [["1", "2", "3"], ["Once upon \r\na time", "5", "6"], ["7", "8", "9"]],
    ),
    reads(
        "spectrum: quotes_and_newlines",
        'a,b\n1,"ha \n""ha"" \nha"\n3,4\n',
        "a b",
        [["1", 'ha \n"ha" \nha'], ["3", "4"]],
    ),
    reads("spectrum: simple", "a,b,c\n1,2,3\n", "a b c", [["1", "2", "3"]]),
    reads("spectrum: simple_crlf", "a,b,c\r\n1,2,3\r\n", "a b c", [["1", "2", "3"]]),
    reads("spectrum: utf8", "a,b,c\n1,2,3\n4,5,ʤ", "a b c", [["1", "2", "3"], ["4", "5", "ʤ"]]),
)
